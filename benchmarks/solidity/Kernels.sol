// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

/// The kernels of `programs/kernels/src/kernels.rs` and `program/mandelbrot.rs`, for the EVM: same input, same check sums.
/// Ordinary Solidity without assembly; arithmetic is unchecked where Rust's wraps, and a value stays in a whole word.
contract Kernels {
    uint256 private constant U32 = 0xffffffff;
    uint256 private constant U64 = 0xffffffffffffffff;
    bytes private constant ROUND =
        hex"428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174"
        hex"e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca635114292967"
        hex"27b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa070"
        hex"19a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2";

    error NoSuchKernel(uint256 kernel);

    /// Runs a kernel so many times and adds up what it gives.
    function run(uint256 kernel, uint256 size, uint256 times) external view returns (uint256 sum) {
        unchecked {
            for (uint256 seed = 1; seed <= times; ++seed) {
                sum = (sum * 31 + one(kernel, size, seed)) & U64;
            }
        }
    }

    function one(uint256 kernel, uint256 size, uint256 seed) private view returns (uint256) {
        if (kernel == 0) return sha(size, seed);
        if (kernel == 1) return sort(size, seed);
        if (kernel == 2) return matrix(size, seed);
        if (kernel == 5) return mandelbrot(size, seed);
        if (kernel == 100) return shaPrecompile(size, seed);
        revert NoSuchKernel(kernel);
    }

    /// xorshift
    function next(uint256 x) private pure returns (uint256) {
        unchecked {
            x = (x ^ (x << 13)) & U64;
            x ^= x >> 7;
            return (x ^ (x << 17)) & U64;
        }
    }

    function sha(uint256 blocks, uint256 seed) private pure returns (uint256) {
        unchecked {
            uint256[] memory data = new uint256[](1024);
            for (uint256 i = 0; i < 1024; ++i) {
                uint256 word = 0;
                for (uint256 j = 0; j < 4; ++j) {
                    seed = next(seed);
                    word = word << 8 | (seed & 0xff);
                }
                data[i] = word;
            }
            uint256[64] memory constants;
            bytes memory packed = ROUND;
            for (uint256 i = 0; i < 64; ++i) {
                constants[i] = uint256(uint8(packed[4 * i])) << 24 | uint256(uint8(packed[4 * i + 1])) << 16
                    | uint256(uint8(packed[4 * i + 2])) << 8 | uint8(packed[4 * i + 3]);
            }
            uint256[8] memory state = [
                uint256(0x6a09e667),
                0xbb67ae85,
                0x3c6ef372,
                0xa54ff53a,
                0x510e527f,
                0x9b05688c,
                0x1f83d9ab,
                0x5be0cd19
            ];
            uint256[64] memory words;
            for (uint256 index = 0; index < blocks; ++index) {
                uint256 at = index * 16 % 1024;
                for (uint256 i = 0; i < 16; ++i) {
                    words[i] = data[at + i];
                }
                compress(state, words, constants);
            }
            return state[0] << 32 | state[7];
        }
    }

    function rotate(uint256 x, uint256 by) private pure returns (uint256) {
        unchecked {
            return x >> by | x << (32 - by);
        }
    }

    /// Words are cut to 32 bits only where a wider one would change the result.
    function compress(uint256[8] memory state, uint256[64] memory words, uint256[64] memory constants) private pure {
        unchecked {
            for (uint256 i = 16; i < 64; ++i) {
                uint256 low = words[i - 15];
                low = rotate(low, 7) ^ rotate(low, 18) ^ low >> 3;
                uint256 high = words[i - 2];
                high = rotate(high, 17) ^ rotate(high, 19) ^ high >> 10;
                words[i] = (words[i - 16] + (low & U32) + words[i - 7] + (high & U32)) & U32;
            }
            uint256 a = state[0];
            uint256 b = state[1];
            uint256 c = state[2];
            uint256 d = state[3];
            uint256 e = state[4];
            uint256 f = state[5];
            uint256 g = state[6];
            uint256 h = state[7];
            for (uint256 i = 0; i < 64; ++i) {
                uint256 first = h + ((rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) & U32) + ((e & f) ^ (~e & g)) + constants[i]
                    + words[i];
                uint256 second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) & U32) + ((a & b) ^ (a & c) ^ (b & c));
                h = g;
                g = f;
                f = e;
                e = (d + first) & U32;
                d = c;
                c = b;
                b = a;
                a = (first + second) & U32;
            }
            state[0] = (state[0] + a) & U32;
            state[1] = (state[1] + b) & U32;
            state[2] = (state[2] + c) & U32;
            state[3] = (state[3] + d) & U32;
            state[4] = (state[4] + e) & U32;
            state[5] = (state[5] + f) & U32;
            state[6] = (state[6] + g) & U32;
            state[7] = (state[7] + h) & U32;
        }
    }

    /// The same amount of bytes through the hash that the EVM has built in. Its padding makes another check sum.
    function shaPrecompile(uint256 blocks, uint256 seed) private view returns (uint256) {
        unchecked {
            bytes memory data = new bytes(blocks * 64);
            for (uint256 i = 0; i < 64; ++i) {
                seed = next(seed);
                data[i] = bytes1(uint8(seed));
            }
            return uint256(sha256(data)) & U64;
        }
    }

    function sort(uint256 count, uint256 seed) private pure returns (uint256 sum) {
        unchecked {
            uint256[] memory values = new uint256[](count);
            for (uint256 i = 0; i < count; ++i) {
                seed = next(seed);
                values[i] = seed & U32;
            }
            quick(values, 0, count - 1);
            for (uint256 i = 0; i < count; i += 97) {
                sum = (sum * 31 + values[i]) & U64;
            }
        }
    }

    /// Sorts the values from `first` to `last`: quicksort, and by insertion where few are left.
    function quick(uint256[] memory values, uint256 first, uint256 last) private pure {
        unchecked {
            while (last - first > 12) {
                uint256 pivot = values[(first + last) / 2];
                uint256 i = first;
                uint256 j = last;
                while (true) {
                    while (values[i] < pivot) ++i;
                    while (pivot < values[j]) --j;
                    if (i >= j) break;
                    (values[i], values[j]) = (values[j], values[i]);
                    ++i;
                    --j;
                }
                if (j < i && j + 1 == i) {
                    quick(values, first, j);
                    first = i;
                } else {
                    // Both stopped at the pivot, which is in its place.
                    quick(values, first, i);
                    first = i + 1;
                }
                if (first > last) return;
            }
            for (uint256 i = first + 1; i <= last; ++i) {
                uint256 value = values[i];
                uint256 j = i;
                while (j > first && value < values[j - 1]) {
                    values[j] = values[j - 1];
                    --j;
                }
                values[j] = value;
            }
        }
    }

    function matrix(uint256 side, uint256 seed) private pure returns (uint256 sum) {
        unchecked {
            uint256[] memory a = new uint256[](side * side);
            uint256[] memory b = new uint256[](side * side);
            uint256[] memory c = new uint256[](side * side);
            for (uint256 i = 0; i < a.length; ++i) {
                seed = next(seed);
                a[i] = seed & U32;
            }
            for (uint256 i = 0; i < b.length; ++i) {
                seed = next(seed);
                b[i] = seed & U32;
            }
            for (uint256 row = 0; row < a.length; row += side) {
                for (uint256 k = 0; k < side; ++k) {
                    uint256 factor = a[row + k];
                    uint256 line = k * side;
                    // The sums fit a word many times over: they are cut at the end.
                    for (uint256 column = 0; column < side; ++column) {
                        c[row + column] += factor * b[line + column];
                    }
                }
            }
            for (uint256 i = 0; i < c.length; ++i) {
                sum = (sum * 31 + (c[i] & U32)) & U64;
            }
        }
    }

    function mandelbrot(uint256 side, uint256 seed) private pure returns (uint256 sum) {
        unchecked {
            sum = seed;
            int256 one_ = 1 << 28;
            int256 width = int256(side);
            for (int256 row = 0; row < width; ++row) {
                for (int256 column = 0; column < width; ++column) {
                    int256 re = column * 3 * one_ / width - 9 * one_ / 4;
                    int256 im = row * 3 * one_ / width - 3 * one_ / 2;
                    int256 x = 0;
                    int256 y = 0;
                    uint256 steps = 0;
                    while (steps < 256) {
                        int256 xx = x * x;
                        int256 yy = y * y;
                        if (xx + yy > 4 << 56) break;
                        y = (x * y >> 27) + im;
                        x = (xx - yy >> 28) + re;
                        ++steps;
                    }
                    sum = (sum * 31 + steps) & U64;
                }
            }
        }
    }
}
