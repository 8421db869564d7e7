//! How much work a function makes for the compiler, estimated from the code alone.
//!
//! Compiling time is not proportional to length: where control flow joins, the compiler considers every local that was
//! set inside, and loops within loops multiply. Loops nested 4,000 deep over a thousand locals, 70 kB of code, took five
//! minutes, 8,000 deep over nine locals as well. So nesting is limited, and so is the sum of the locals set within each
//! block, loop and branch.
//!
//! Two things grow with the square: the basic blocks of a function (18,000 in 120 kB took 1.9 s, ten functions of a tenth
//! 0.2 s) and the values that are kept on the operand stack (3,700 took 0.45 s). The sum of the squares is limited, by
//! the length of the code, for the first, the height of the stack for the second. Compiled Rust stays far below all of
//! it. With these limits the hardest code that is known takes less than 5 ms for each KiB: `cargo bench -p
//! gear-exe-executor --bench gas -- compiler`.

use super::validate::malformed;
use crate::CodeError;
use wasmparser::{FunctionBody, Operator};

/// Deepest nesting of blocks, loops and branches. A `match` of 256 arms takes 256.
const MAX_NESTING: usize = 1024;
/// Deepest nesting of loops.
const MAX_LOOPS: u32 = 64;
/// Most that a function may come to.
const MAX_FUNCTION: u64 = 100_000;
/// Most that all functions of a code may come to together.
const MAX_CODE: u64 = 500_000;

/// Most that the squares of the numbers of basic blocks of all functions may come to, for each byte of the code.
const SQUARES_PER_BYTE: u64 = 600;
const BRANCHES: &str =
    "squares of the numbers of branches of the functions, added up; split the long ones";
/// The same for a short code: 3,100 basic blocks in one function.
const MIN_SQUARES: u64 = 10_000_000;

/// A set of locals.
#[derive(Clone, Default)]
struct Locals(Vec<u64>);

impl Locals {
    fn insert(&mut self, index: u32) {
        let word = index as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (index % 64);
        }
    }

    fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, word) in self.0.iter_mut().zip(&other.0) {
            *own |= word;
        }
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// A block, loop or branch that has not ended.
#[derive(Default)]
struct Frame {
    /// Set within it so far.
    locals: Locals,
    is_loop: bool,
}

/// The sums over the functions seen so far.
pub(super) struct Complexity {
    /// Most that `squares` may come to.
    most: u64,
    /// Of the locals set within blocks.
    sets: u64,
    /// Of the squares of the numbers of basic blocks.
    squares: u64,
}

/// Basic blocks that begin behind or inside an operator, with those that the charges add.
fn blocks(operator: &Operator<'_>) -> u64 {
    match operator {
        Operator::Block { .. }
        | Operator::Else
        | Operator::Br { .. }
        | Operator::BrIf { .. }
        | Operator::Return
        | Operator::Unreachable => 1,
        Operator::If { .. }
        | Operator::Loop { .. }
        | Operator::BrTable { .. }
        | Operator::MemoryCopy { .. }
        | Operator::MemoryFill { .. } => 2,
        _ => 0,
    }
}

impl Complexity {
    /// Of a code with so many bytes.
    pub(super) fn new(length: usize) -> Self {
        Self {
            most: (SQUARES_PER_BYTE * length as u64).max(MIN_SQUARES),
            sets: 0,
            squares: 0,
        }
    }

    /// Takes a function in.
    pub(super) fn add(&mut self, body: &FunctionBody<'_>) -> Result<(), CodeError> {
        let mut open = vec![Frame::default()];
        let (mut sum, mut loops, mut basic) = (0u64, 0u32, 1u64);
        for operator in body.get_operators_reader().map_err(malformed)? {
            let operator = operator.map_err(malformed)?;
            basic += blocks(&operator);
            match operator {
                Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                    if let Some(inner) = open.last_mut() {
                        inner.locals.insert(local_index);
                    }
                }
                Operator::Block { .. } | Operator::If { .. } => open.push(Frame::default()),
                Operator::Loop { .. } => {
                    loops += 1;
                    open.push(Frame {
                        is_loop: true,
                        ..Frame::default()
                    });
                }
                Operator::End => {
                    let Some(ended) = open.pop() else { break };
                    sum += ended.locals.count();
                    loops -= u32::from(ended.is_loop);
                    if let Some(outer) = open.last_mut() {
                        outer.locals.join(&ended.locals);
                    }
                }
                _ => {}
            }
            if loops > MAX_LOOPS {
                return Err(CodeError::Limit("loops within loops", MAX_LOOPS.into()));
            }
            if open.len() > MAX_NESTING {
                return Err(CodeError::Limit("blocks within blocks", MAX_NESTING as u64));
            }
        }
        self.sets += sum;
        self.squares = self.squares.saturating_add(basic.saturating_mul(basic));
        if self.squares > self.most {
            return Err(CodeError::Limit(BRANCHES, self.most));
        }
        if sum > MAX_FUNCTION {
            let what = "locals set inside the nested blocks of a function";
            return Err(CodeError::Limit(what, MAX_FUNCTION));
        }
        if self.sets > MAX_CODE {
            return Err(CodeError::Limit(
                "locals set inside nested blocks",
                MAX_CODE,
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

    fn of(text: &str) -> Result<u64, CodeError> {
        let wasm = wat::parse_str(format!("(module {text})")).unwrap();
        let mut all = Complexity::new(wasm.len());
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                all.add(&body)?;
            }
        }
        Ok(all.sets)
    }

    #[test]
    fn each_local_counts_in_every_block_around_it() {
        let body = "(local i32 i32) (local.set 0 (i32.const 1)) (local.set 0 (i32.const 2))
            (block (loop (local.set 1 (i32.const 1))) (local.set 0 (i32.const 1)))";
        // The function and the block set both, the loop one.
        assert_eq!(of(&format!("(func {body})")), Ok(5));
        assert_eq!(of(&format!("(func {body}) (func {body})")), Ok(10));
    }

    #[test]
    fn example_programs_are_far_below() {
        for (name, wasm) in gear_exe_programs::ALL {
            let mut all = Complexity::new(wasm.len());
            for payload in Parser::new(0).parse_all(wasm) {
                if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                    let before = all.sets;
                    all.add(&body).unwrap();
                    let own = all.sets - before;
                    assert!(own < MAX_FUNCTION / 10, "{name}: {own}");
                }
            }
            assert!(all.sets < MAX_CODE / 10, "{name}: {}", all.sets);
            assert!(all.squares < all.most / 10, "{name}: {}", all.squares);
        }
    }

    #[test]
    fn what_would_keep_the_compiler_busy_is_refused() {
        let deep = |count: usize, what: &str| {
            of(&format!(
                "(func {} {})",
                what.repeat(count),
                ")".repeat(count)
            ))
        };
        assert!(deep(64, "(loop ").is_ok());
        assert_eq!(
            deep(65, "(loop "),
            Err(CodeError::Limit("loops within loops", 64))
        );
        assert!(deep(1_023, "(block ").is_ok());
        assert_eq!(
            deep(1_024, "(block "),
            Err(CodeError::Limit("blocks within blocks", 1_024))
        );
        let nested = |count: usize| {
            let open: String = (0..count)
                .map(|index| format!("(block (local.set {} (i64.const 1))", index % 1_000))
                .collect();
            format!(
                "(func (local {}) {open} {})",
                "i64 ".repeat(1_000),
                ")".repeat(count)
            )
        };
        assert!(of(&nested(400)).is_ok());
        assert!(matches!(
            of(&nested(500)),
            Err(CodeError::Limit(_, MAX_FUNCTION))
        ));
        let branches =
            |count: usize| format!("(func {})", "(if (i32.const 1) (then))".repeat(count));
        assert!(of(&branches(1_500)).is_ok());
        assert!(of(&branches(100).repeat(200)).is_ok());
        assert!(matches!(
            of(&branches(10_000)),
            Err(CodeError::Limit(BRANCHES, _))
        ));
        assert!(matches!(
            of(&nested(400).repeat(7)),
            Err(CodeError::Limit(_, MAX_CODE))
        ));
    }
}
