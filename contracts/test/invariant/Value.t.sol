// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.30;

import { ERC1967Proxy } from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import { IDeposits } from "../../src/IDeposits.sol";
import { Mirror } from "../../src/Mirror.sol";
import { Router } from "../../src/Router.sol";
import { WrappedVara } from "../../src/WrappedVara.sol";
import { Gear } from "../../src/libraries/Gear.sol";

interface ValueVm {
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function roll(uint256 number) external;
    function deal(address who, uint256 value) external;
    function prank(address sender) external;
    function blobhashes(bytes32[] calldata hashes) external;
    function getNonce(address who) external view returns (uint64);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address);
}

/// @dev Takes ETH only while it is told to.
contract Moody {
    bool public takes;

    function setTakes(bool value) external {
        takes = value;
    }

    fallback() external payable {
        require(takes, "no");
    }
}

/// @dev Burns all gas it is given.
contract GasBurner {
    fallback() external payable {
        while (true) { }
    }
}

/// @dev Returns more than anybody wants to copy.
contract ReturnBomb {
    fallback() external payable {
        assembly {
            revert(0, 300000)
        }
    }
}

/// @dev When it is paid it tries everything that could disturb the payer, and sends one wei back as a top-up.
contract Meddler {
    /// @notice How much came to programs as top-ups.
    mapping(address program => uint256 value) public toppedUp;

    fallback() external payable {
        if (msg.value == 0) return;
        (bool success,) = msg.sender.call(abi.encodeCall(Mirror.withdrawPending, (payable(address(this)))));
        require(!success, "re-entered withdrawPending");
        (success,) = msg.sender.call(abi.encodeCall(Mirror.transferLockedValueToInheritor, ()));
        require(!success, "re-entered transferLockedValueToInheritor");
        (success,) = msg.sender.call{ value: 1 }("");
        if (success) toppedUp[msg.sender] += 1;
    }
}

/// @dev Random deposits, top-ups, batches and withdrawals, and what they should come to.
contract ValueHandler {
    ValueVm private constant vm = ValueVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant KEYS = 4;
    uint256 public constant PROGRAMS = 3;
    uint256 public constant ACTORS = 5;
    bytes32 private constant CHAIN = keccak256("chain");
    bytes32 private constant CODE = keccak256("code");

    Router public router;
    WrappedVara public token;
    address[] public programs;
    address[] public actors;
    uint256 private codes;
    uint256 private states;

    /// @notice What the Router should hold for a program, without what the meddler topped up.
    mapping(address program => uint256 value) public custody;
    /// @notice What a program should own.
    mapping(address program => uint256 value) public owned;
    /// @notice What the Router should hold as deposits.
    uint256 public deposited;
    /// @notice Withdrawals that batches have paid, or should have.
    uint256 public withdrawals;
    /// @notice wVARA that went to the Router.
    uint256 public deposits;
    uint256 public fees;
    /// @notice ETH that was given to all the contracts and actors.
    uint256 public given;
    /// @notice Batches that were applied, and payouts in them, so that a run that did nothing is noticed.
    uint256 public batches;
    uint256 public payouts;

    constructor() {
        token = WrappedVara(
            address(
                new ERC1967Proxy(address(new WrappedVara()), abi.encodeCall(WrappedVara.initialize, (address(this))))
            )
        );
        // The Router's proxy comes third from here: Mirror, Router, proxy.
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        Mirror mirror = new Mirror(predicted);
        Router implementation = new Router();
        router = Router(payable(address(new ERC1967Proxy(address(implementation), initialization(address(mirror))))));
        require(address(router) == predicted, "prediction");
        token.approve(address(router), type(uint256).max);
        validate(CODE);
        for (uint256 i = 0; i < PROGRAMS; ++i) {
            address program = i == 0
                ? router.createProgramWithAbiInterface(CODE, bytes32(i), address(this), address(0))
                : router.createProgram(CODE, bytes32(i), address(this));
            programs.push(program);
            token.approve(program, type(uint256).max);
        }
        actors.push(address(0xA11CE));
        actors.push(address(new Moody()));
        actors.push(address(new GasBurner()));
        actors.push(address(new ReturnBomb()));
        actors.push(address(new Meddler()));
    }

    function sendMessage(uint256 which, uint96 value, bool callReply) external {
        address program = programs[which % PROGRAMS];
        if (Mirror(payable(program)).exited()) return;
        deposit(program, value);
        Mirror(payable(program)).sendMessage{ value: value }("payload", callReply);
    }

    function sendReply(uint256 which, uint96 value) external {
        address program = programs[which % PROGRAMS];
        if (Mirror(payable(program)).exited() || Mirror(payable(program)).nonce() == 0) return;
        deposit(program, value);
        Mirror(payable(program)).sendReply{ value: value }(keccak256("message"), "payload");
    }

    function topUpOwned(uint256 which, uint96 value) external {
        address program = programs[which % PROGRAMS];
        if (Mirror(payable(program)).exited() || value == 0) return;
        deposit(program, value);
        (bool success,) = program.call{ value: value }("");
        require(success, "top-up");
    }

    function putBy(uint256 actor, uint96 value) external {
        if (value == 0) return;
        given += value;
        vm.deal(address(this), value);
        deposited += value;
        IDeposits(address(router)).depositFor{ value: value }(actors[actor % ACTORS]);
    }

    function takePending(uint256 actor, bool toSelf) external {
        IDeposits deposits_ = IDeposits(address(router));
        address owner = actors[actor % ACTORS];
        uint256 owing = deposits_.pendingDeposit(owner);
        address to = toSelf ? owner : address(0xB0B);
        uint256 before = to.balance;
        vm.prank(owner);
        try deposits_.withdrawPendingDeposit{ gas: 1_000_000 }(payable(to)) {
            require(owing != 0 && deposits_.pendingDeposit(owner) == 0, "withdrawn");
            require(to.balance == before + owing, "amount");
        } catch {
            require(deposits_.pendingDeposit(owner) == owing, "a failed withdrawal changed what is owed");
            require(owing == 0 || toSelf, "a withdrawal to a plain account failed");
        }
    }

    function topUpExecutable(uint256 which, uint64 value) external {
        address program = programs[which % PROGRAMS];
        if (Mirror(payable(program)).exited()) return;
        if (token.balanceOf(address(this)) < value) token.mint(address(this), value);
        Mirror(payable(program)).executableBalanceTopUp(value);
        deposits += value;
    }

    function requestCode() external {
        codes += 1;
        request(bytes32(codes));
    }

    function setMood(bool takes) external {
        Moody(payable(actors[1])).setTakes(takes);
    }

    function withdraw(uint256 which, uint256 actor, bool toSelf) external {
        Mirror mirror = Mirror(payable(programs[which % PROGRAMS]));
        address owner = actors[actor % ACTORS];
        uint256 owing = mirror.pendingWithdrawal(owner);
        address to = toSelf ? owner : address(0xB0B);
        uint256 before = to.balance;
        vm.prank(owner);
        try mirror.withdrawPending{ gas: 1_000_000 }(payable(to)) {
            require(owing != 0 && mirror.pendingWithdrawal(owner) == 0, "withdrawn");
            require(to == actors[4] || to.balance == before + owing, "amount");
        } catch {
            require(mirror.pendingWithdrawal(owner) == owing, "a failed withdrawal changed what is owed");
            require(owing == 0 || toSelf, "a withdrawal to a plain account failed");
        }
    }

    /// @dev Everything at once: transfers between programs, both directions between Router and Mirror, payouts of all
    /// sorts to all actors, sometimes an exit.
    function commit(uint256 seed) external {
        Gear.Batch memory batch = nextBatch();
        int256[] memory net = netTransfers(seed);
        // Deposits give to a program, or get back what it could not use.
        uint256 favoured = draw(seed, 60) % PROGRAMS;
        int256 gift = int256(draw(seed, 61) % (deposited + 1));
        if (draw(seed, 62) % 4 == 0) {
            gift = -int256(draw(seed, 61) % (uint256(int256(custody[programs[favoured]]) + net[favoured]) + 1));
        }
        net[favoured] += gift;
        batch.transitions = new Gear.StateTransition[](PROGRAMS + 1);
        for (uint256 i = 0; i < PROGRAMS; ++i) {
            batch.transitions[i] = transition(draw(seed, i), programs[i], net[i]);
        }
        batch.transitions[PROGRAMS] = ofDeposits(draw(seed, 63), gift);
        sort(batch.transitions);
        commit(batch);
        for (uint256 i = 0; i < batch.transitions.length; ++i) {
            settleExit(batch.transitions[i]);
        }
    }

    /// @dev A batch that creates or loses value, or spends custody that is not there, changes nothing.
    function commitUnbalanced(uint256 seed, uint96 amount) external {
        if (amount == 0) return;
        Gear.Batch memory batch = nextBatch();
        address program = programs[seed % PROGRAMS];
        batch.transitions = new Gear.StateTransition[](1);
        batch.transitions[0].actorId = program;
        if (seed & 1 == 0) {
            batch.transitions[0].netTransfer = seed & 2 == 0 ? int128(uint128(amount)) : -int128(uint128(amount));
        } else {
            batch.transitions[0].valueToReceive = uint128(router.custody(program) + amount);
        }
        bytes32 digest = router.latestCommittedBatchHash();
        (bytes memory signers, bytes memory signatures) = sign(router.batchDigest(batch));
        try router.commitBatch(batch, signers, signatures) {
            revert("value came from nowhere");
        } catch (bytes memory reason) {
            require(bytes4(reason) == bytes4(keccak256("ValueNotConserved()")), "reason");
        }
        require(router.latestCommittedBatchHash() == digest, "a refused batch was noted");
    }

    /// @notice What the Router should hold for a program.
    function expectedCustody(address program) public view returns (uint256) {
        return custody[program] + Meddler(payable(actors[4])).toppedUp(program);
    }

    function deposit(address program, uint256 value) private {
        given += value;
        vm.deal(address(this), value);
        custody[program] += value;
    }

    /// @dev Random amounts between neighbours; they sum to zero and stay within custody.
    function netTransfers(uint256 seed) private view returns (int256[] memory net) {
        net = new int256[](PROGRAMS);
        for (uint256 i = 0; i < PROGRAMS; ++i) {
            uint256 held = custody[programs[i]];
            int256 amount = int256(draw(seed, 50 + i) % (held / 2 + 1));
            net[i] -= amount;
            net[(i + 1) % PROGRAMS] += amount;
        }
    }

    function transition(uint256 seed, address program, int256 net) private returns (Gear.StateTransition memory value) {
        value.actorId = program;
        states += 1;
        value.newStateHash = bytes32(states);
        value.netTransfer = int128(net);
        uint256 held = uint256(int256(custody[program]) + net);
        value.valueToReceiveNegativeSign = draw(seed, 1) % 4 == 0;
        value.valueToReceive = uint128(draw(seed, 2) % ((value.valueToReceiveNegativeSign ? owned[program] : held) + 1));
        if (value.valueToReceiveNegativeSign) {
            custody[program] = held + value.valueToReceive;
            owned[program] -= value.valueToReceive;
        } else {
            custody[program] = held - value.valueToReceive;
            owned[program] += value.valueToReceive;
        }
        uint256 left = owned[program];
        value.messages = new Gear.Message[](draw(seed, 3) % 4);
        for (uint256 i = 0; i < value.messages.length; ++i) {
            uint256 own = draw(seed, 10 + i);
            Gear.Message memory message = value.messages[i];
            message.id = bytes32(own);
            message.destination = actors[draw(own, 1) % ACTORS];
            message.payload = "\x01\x02\x03\x04";
            message.value = uint128(draw(own, 2) % (left / 2 + 1));
            message.replyDetails.to = bytes32(own | 1);
            message.replyDetails.code = draw(own, 3) & 1 == 0 ? bytes4(0) : bytes4(0x01000000);
            message.call = draw(own, 4) & 1 == 0;
            left -= message.value;
        }
        value.valueClaims = new Gear.ValueClaim[](draw(seed, 4) % 3);
        for (uint256 i = 0; i < value.valueClaims.length; ++i) {
            uint256 own = draw(seed, 20 + i);
            uint128 amount = uint128(draw(own, 2) % (left / 2 + 1));
            value.valueClaims[i] = Gear.ValueClaim(bytes32(own), actors[draw(own, 1) % ACTORS], amount);
            left -= amount;
        }
        payouts += value.messages.length + value.valueClaims.length;
        owned[program] = left;
        // The last program may exit, and once it has, it stays so.
        if (program == programs[PROGRAMS - 1] && draw(seed, 5) % 16 == 0) {
            value.exited = true;
            value.inheritor = actors[draw(seed, 6) % ACTORS];
        }
    }

    function ofDeposits(uint256 seed, int256 gift) private returns (Gear.StateTransition memory value) {
        value.actorId = Gear.DEPOSITS;
        states += 1;
        value.newStateHash = bytes32(states);
        value.netTransfer = int128(-gift);
        uint256 left = uint256(int256(deposited) - gift);
        value.valueClaims = new Gear.ValueClaim[](draw(seed, 0) % 4);
        for (uint256 i = 0; i < value.valueClaims.length; ++i) {
            uint256 own = draw(seed, 20 + i);
            uint128 amount = uint128(draw(own, 2) % (left / 2 + 1));
            value.valueClaims[i] = Gear.ValueClaim(bytes32(own), actors[draw(own, 1) % ACTORS], amount);
            value.valueToReceive += amount;
            left -= amount;
        }
        withdrawals += value.valueClaims.length;
        deposited = left;
    }

    /// @dev Whether the inheritor took what was left is the inheritor's affair; that it is all or nothing, ours.
    function settleExit(Gear.StateTransition memory value) private {
        if (!value.exited) return;
        Mirror mirror = Mirror(payable(value.actorId));
        uint256 kept = address(mirror).balance - mirror.totalPending();
        require(kept == 0 || kept == owned[value.actorId], "part of an inheritance");
        owned[value.actorId] = kept;
    }

    function sort(Gear.StateTransition[] memory list) private pure {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j].actorId < list[j - 1].actorId; --j) {
                (list[j], list[j - 1]) = (list[j - 1], list[j]);
            }
        }
    }

    function nextBatch() private returns (Gear.Batch memory batch) {
        vm.roll(block.number + 1);
        Gear.AppliedBatch memory last = router.lastBatch();
        batch.genesis = CHAIN;
        batch.sealNumber = last.sealNumber + 1;
        batch.sealHash = keccak256(abi.encode("seal", batch.sealNumber));
        batch.lastRound = last.lastRound + 1;
        batch.lastRoundHash = keccak256(abi.encode("round", batch.lastRound));
        batch.nonce = last.nonce + 1;
        batch.parent = last.digest;
        batch.anchorNumber = uint64(block.number - 1);
        batch.anchorHash = blockhash(block.number - 1);
        batch.setId = router.setId();
        batch.expiry = uint64(block.timestamp + 600);
        batch.outboxEnd = last.outboxEnd;
    }

    function commit(Gear.Batch memory batch) private {
        bytes32 digest = router.batchDigest(batch);
        (bytes memory signers, bytes memory signatures) = sign(digest);
        router.commitBatch(batch, signers, signatures);
        require(router.latestCommittedBatchHash() == digest, "digest");
        batches += 1;
    }

    function sign(bytes32 digest) private pure returns (bytes memory signers, bytes memory signatures) {
        signers = new bytes(1);
        for (uint256 i = 0; i < KEYS; ++i) {
            signers[0] |= bytes1(uint8(1 << i));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(i + 1, digest);
            signatures = bytes.concat(signatures, r, bytes32(uint256(s) | uint256(v - 27) << 255));
        }
    }

    function request(bytes32 code) private returns (bytes32 requestId) {
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = keccak256(abi.encode("blob", code));
        vm.blobhashes(hashes);
        uint256 fee = router.requestCodeValidationBaseFee();
        if (token.balanceOf(address(this)) < fee) token.mint(address(this), fee);
        router.requestCodeValidation(code, block.timestamp, 27, 0, 0);
        fees += fee;
        requestId = keccak256(abi.encode(code, hashes));
    }

    function validate(bytes32 code) private {
        bytes32 requestId = request(code);
        Gear.Batch memory batch = nextBatch();
        batch.outbox = new Gear.OutboxItem[](1);
        batch.outbox[0] = Gear.OutboxItem(Gear.CODE_RESULT, abi.encode(code, requestId, true));
        batch.outboxEnd += 1;
        commit(batch);
        require(router.codeState(code) == Gear.CodeState.Validated, "validated");
    }

    function initialization(address mirror) private view returns (bytes memory) {
        Router.InitParams memory params;
        params.owner = msg.sender;
        params.mirror = mirror;
        params.wrappedVara = address(token);
        params.genesis = CHAIN;
        params.validators = new address[](KEYS);
        params.weights = new uint64[](KEYS);
        for (uint256 i = 0; i < KEYS; ++i) {
            params.validators[i] = vm.addr(i + 1);
            params.weights[i] = 1;
        }
        params.upgradeDelay = 1 days;
        params.maxStaleness = 21 days;
        params.callbackStipend = 500_000;
        params.requestCodeValidationBaseFee = 1000e12;
        params.requestCodeValidationExtraFee = 500e12;
        return abi.encodeCall(Router.initialize, (params));
    }

    function draw(uint256 seed, uint256 use) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, use)));
    }
}

/// @title No wei and no wVARA comes from nowhere, gets lost, or belongs to two
contract ValueInvariant {
    ValueHandler private handler;

    function setUp() public {
        handler = new ValueHandler();
    }

    /// @notice Forge draws its calls from this contract only.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants say nothing if the handler does nothing.
    function test_handlerReachesWhatMatters() public {
        uint256 pendingSeen = 0;
        for (uint256 i = 0; i < 30; ++i) {
            handler.sendMessage(i, 1 ether, true);
            handler.putBy(i, 1 ether);
            handler.commit(i);
            for (uint256 j = 0; j < handler.ACTORS(); ++j) {
                pendingSeen += Mirror(payable(handler.programs(0))).pendingWithdrawal(handler.actors(j));
            }
        }
        require(handler.batches() > 30 && handler.payouts() > 50, "few payouts");
        require(pendingSeen != 0, "no payout failed");
        require(handler.withdrawals() > 20, "few withdrawals");
        require(IDeposits(address(handler.router())).totalPendingDeposits() != 0, "no withdrawal failed");
        require(handler.actors(0).balance != 0 && handler.actors(4).balance != 0, "nobody was paid");
        uint256 toppedUp = 0;
        for (uint256 i = 0; i < handler.PROGRAMS(); ++i) {
            address program = handler.programs(i);
            toppedUp += handler.expectedCustody(program) - handler.custody(program);
        }
        require(toppedUp != 0, "the meddler never got through");
        require(Mirror(payable(handler.programs(2))).exited(), "no exit");
    }

    function invariant_routerHoldsExactlyTheCustody() public view {
        uint256 sum = 0;
        for (uint256 i = 0; i < handler.PROGRAMS(); ++i) {
            address program = handler.programs(i);
            require(handler.router().custody(program) == handler.expectedCustody(program), "custody of a program");
            sum += handler.router().custody(program);
        }
        uint256 deposits = handler.router().custody(Gear.DEPOSITS);
        require(deposits == handler.deposited(), "deposits");
        uint256 pending = IDeposits(address(handler.router())).totalPendingDeposits();
        require(address(handler.router()).balance == sum + deposits + pending, "custody");
    }

    function invariant_whatWithdrawalsOweIsCounted() public view {
        IDeposits deposits = IDeposits(address(handler.router()));
        uint256 pending = 0;
        for (uint256 i = 0; i < handler.ACTORS(); ++i) {
            pending += deposits.pendingDeposit(handler.actors(i));
        }
        require(deposits.totalPendingDeposits() == pending, "pending deposits");
    }

    function invariant_mirrorHoldsWhatIsOwnedAndPending() public view {
        for (uint256 i = 0; i < handler.PROGRAMS(); ++i) {
            address program = handler.programs(i);
            Mirror mirror = Mirror(payable(program));
            uint256 pending = 0;
            for (uint256 j = 0; j < handler.ACTORS(); ++j) {
                pending += mirror.pendingWithdrawal(handler.actors(j));
            }
            require(mirror.totalPending() == pending, "pending");
            require(program.balance == handler.owned(program) + pending, "owned");
        }
    }

    function invariant_routerHoldsTheWrappedVaraThatItCounted() public view {
        Router router = handler.router();
        require(router.totalExecutableDeposits() == handler.deposits(), "deposits");
        require(router.totalCodeFees() == handler.fees(), "fees");
        uint256 counted = router.totalExecutableDeposits() + router.totalCodeFees();
        require(handler.token().balanceOf(address(router)) == counted, "wVARA");
    }

    function invariant_ethIsConserved() public view {
        uint256 sum = address(handler.router()).balance + address(0xB0B).balance;
        for (uint256 i = 0; i < handler.PROGRAMS(); ++i) {
            sum += handler.programs(i).balance;
        }
        for (uint256 i = 0; i < handler.ACTORS(); ++i) {
            sum += handler.actors(i).balance;
        }
        require(sum == handler.given(), "ETH");
    }
}
