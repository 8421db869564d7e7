//! Puts gas charges and the count of the stack into one function.
//!
//! A function is cut into blocks at everything that control flow may leave or enter by: branches, the ends of blocks that
//! are branched to, loops, calls. A block pays for all its operators when it is entered, so that the charge is exact by
//! block, whatever happens inside. Gas left is kept in a local while the function runs and written to the global at each
//! charge; it is read back after calls only. It is checked where a function starts, in each round of a loop, before bulk
//! operators, and after blocks that cost much: what lies between two checks is a bounded piece of straight code.
//!
//! The stack is counted where functions call each other; a small function that calls none is covered by what
//! [`SPARE`] leaves, and so are the tiny ones that touch memory for bulk operators.

use super::{
    STACK_LIMIT,
    bulk::Touch,
    classes::{class, is_vector},
    floats::{Kind, Moved, blind, made, seen},
};
use crate::{
    CodeError,
    gas::{BULK_BYTES, Class, PER_BULK},
};
use wasm_encoder::{
    BlockType, Function, Instruction, ValType,
    reencode::{Reencode, RoundtripReencoder},
};
use wasmparser::{FuncType, FunctionBody, Operator};

/// Accounted bytes of every frame.
const FRAME: u32 = 256;
/// Accounted bytes of everything that may need a place in a frame; twice that where there are vectors.
const SLOT: u32 = 8;
/// Frames up to this many bytes are not counted in functions that call no other: the native stack has room for one.
const SPARE: u32 = 64 << 10;
/// Gas of a block after which there is a check.
const CHECKED: u64 = 1_000_000;

pub(super) fn broken(error: impl std::fmt::Display) -> CodeError {
    CodeError::Malformed(error.to_string())
}

/// What of a module its functions need.
pub(super) struct Context {
    pub(super) types: Vec<FuncType>,
    /// Types of the functions, imported ones first.
    pub(super) functions: Vec<u32>,
    /// How many functions are imported.
    pub(super) imported: u32,
    /// Values of a signature or a global are vectors.
    pub(super) vectors: bool,
    /// Index of the global that counts the stack.
    pub(super) stack: u32,
    /// Index of the global that holds the gas left.
    pub(super) gas: u32,
}

impl Context {
    pub(super) fn signature(&self, function: u32) -> Result<&FuncType, CodeError> {
        self.functions
            .get(function as usize)
            .and_then(|ty| self.types.get(*ty as usize))
            .ok_or_else(|| broken("a function has no type"))
    }

    /// Values that an operator leaves beyond one.
    fn surplus(&self, operator: &Operator<'_>) -> Result<usize, CodeError> {
        let ty = match operator {
            Operator::Call { function_index } => Some(self.signature(*function_index)?),
            Operator::CallIndirect { type_index, .. } => self.types.get(*type_index as usize),
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                match blockty {
                    wasmparser::BlockType::FuncType(index) => {
                        let ty = self.types.get(*index as usize);
                        return Ok(ty.map_or(0, |ty| ty.params().len() + ty.results().len()));
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(ty.map_or(0, |ty| ty.results().len().saturating_sub(1)))
    }
}

/// A charge in front of an operator.
#[derive(Debug, Default)]
struct Charge {
    at: usize,
    cost: u64,
    /// Gas left is read from the global first: a call came before.
    reload: bool,
    check: bool,
}

/// A block, loop or branch that has not ended.
struct Open {
    is_if: bool,
    is_loop: bool,
    /// Something branches to its end.
    target: bool,
}

/// What a function is found to need before it is written.
struct Plan {
    /// In the order of the operators.
    charges: Vec<Charge>,
    /// Accounted bytes of its frame.
    frame: u32,
    /// The frame is counted.
    counted: bool,
    /// It has bulk operators.
    bulk: bool,
    /// Scalars and vectors of floats that are made canonical.
    floats: [bool; 3],
}

impl Plan {
    fn new(context: &Context, ty: &FuncType, body: &FunctionBody<'_>) -> Result<Self, CodeError> {
        let mut slots = ty.params().len().saturating_add(ty.results().len());
        let mut vectors = context.vectors;
        for local in body.get_locals_reader().map_err(broken)? {
            let (count, ty) = local.map_err(broken)?;
            slots = slots.saturating_add(count as usize);
            vectors |= ty == wasmparser::ValType::V128;
        }
        let (mut calls, mut bulk, mut floats) = (false, false, [false; 3]);
        let mut charges = Vec::new();
        let mut block = Charge {
            at: 0,
            cost: Class::Call.units(),
            reload: true,
            check: true,
        };
        let mut open: Vec<Open> = Vec::new();
        for (at, operator) in body
            .get_operators_reader()
            .map_err(broken)?
            .into_iter()
            .enumerate()
        {
            let operator = operator.map_err(broken)?;
            let class = class(&operator).ok_or_else(|| CodeError::Operator(name_of(&operator)))?;
            slots = slots.saturating_add(1 + context.surplus(&operator)?);
            vectors |= is_vector(&operator);
            bulk |= class == Class::Bulk;
            if let Some(kind) = seen(&operator).or_else(|| made(&operator)) {
                floats[place(kind)] = true;
            }
            // A function pays for being called.
            if class != Class::Call {
                block.cost += class.units();
            }
            let mut cut = None;
            match &operator {
                Operator::Block { .. } => open.push(Open {
                    is_if: false,
                    is_loop: false,
                    target: false,
                }),
                Operator::Loop { .. } => {
                    open.push(Open {
                        is_if: false,
                        is_loop: true,
                        target: false,
                    });
                    cut = Some(Charge {
                        cost: Class::Loop.units(),
                        check: true,
                        ..Charge::default()
                    });
                }
                Operator::If { .. } => {
                    open.push(Open {
                        is_if: true,
                        is_loop: false,
                        target: false,
                    });
                    cut = Some(Charge::default());
                }
                Operator::End => {
                    let ended = open.pop();
                    if ended.is_some_and(|ended| ended.is_if || (ended.target && !ended.is_loop)) {
                        cut = Some(Charge::default());
                    }
                }
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                    branch(&mut open, *relative_depth);
                    cut = Some(Charge::default());
                }
                Operator::BrTable { targets } => {
                    for target in targets.targets() {
                        branch(&mut open, target.map_err(broken)?);
                    }
                    branch(&mut open, targets.default());
                    cut = Some(Charge::default());
                }
                Operator::Else | Operator::Return | Operator::Unreachable => {
                    cut = Some(Charge::default());
                }
                Operator::Call { function_index } => {
                    let imported = *function_index < context.imported;
                    calls |= !imported;
                    if imported {
                        block.cost += Class::Call.units();
                    }
                    cut = Some(Charge {
                        reload: true,
                        ..Charge::default()
                    });
                }
                Operator::CallIndirect { .. } => {
                    calls = true;
                    cut = Some(Charge {
                        reload: true,
                        ..Charge::default()
                    });
                }
                _ => {}
            }
            if let Some(next) = cut {
                charges.push(std::mem::replace(&mut block, next));
                block.at = at + 1;
            }
        }
        charges.push(block);
        for charge in &mut charges {
            charge.check |= charge.cost >= CHECKED;
        }
        let width = if vectors { 2 * SLOT } else { SLOT };
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        let frame = FRAME.saturating_add(slots.saturating_mul(width));
        Ok(Self {
            charges,
            frame,
            counted: calls || frame > SPARE,
            bulk,
            floats,
        })
    }
}

/// Which of the added locals holds a value while it is made canonical.
fn place(kind: Kind) -> usize {
    match kind {
        Kind::F32 => 0,
        Kind::F64 => 1,
        Kind::F32x4 | Kind::F64x2 => 2,
    }
}

fn branch(open: &mut [Open], depth: u32) {
    let inner = open.len().wrapping_sub(1).wrapping_sub(depth as usize);
    if let Some(open) = open.get_mut(inner) {
        open.target = true;
    }
}

/// The operator's name, without its arguments.
pub(super) fn name_of(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    let end = text.find(|letter: char| !letter.is_alphanumeric());
    text[..end.unwrap_or(text.len())].into()
}

/// Locals that are added behind a function's own.
struct Added {
    /// Gas left.
    left: u32,
    /// Length of a bulk operator.
    length: u32,
    /// The count of the stack as the function found it.
    stack: u32,
    /// Destination of a bulk operator. The next one holds its source.
    ends: u32,
    /// Values that are made canonical.
    floats: [u32; 3],
}

struct Writer<'a> {
    context: &'a Context,
    added: Added,
    function: Function,
}

impl Writer<'_> {
    fn put(&mut self, instructions: &[Instruction<'_>]) {
        for instruction in instructions {
            self.function.instruction(instruction);
        }
    }

    /// Takes what is on the operand stack off the gas left.
    fn take(&mut self) {
        self.put(&[
            Instruction::I64Sub,
            Instruction::LocalTee(self.added.left),
            Instruction::GlobalSet(self.context.gas),
        ]);
    }

    /// Leaves the function by label `out` if less than no gas is left.
    fn check(&mut self, out: u32) {
        self.put(&[
            Instruction::LocalGet(self.added.left),
            Instruction::I64Const(0),
            Instruction::I64LtS,
            Instruction::BrIf(out),
        ]);
    }

    fn charge(&mut self, charge: &Charge, out: u32) {
        let (left, gas) = (self.added.left, self.context.gas);
        match (charge.reload, charge.cost) {
            (false, 0) => {}
            (true, 0) => self.put(&[Instruction::GlobalGet(gas), Instruction::LocalSet(left)]),
            (reload, cost) => {
                self.put(&[
                    if reload {
                        Instruction::GlobalGet(gas)
                    } else {
                        Instruction::LocalGet(left)
                    },
                    Instruction::I64Const(cost as i64),
                ]);
                self.take();
            }
        }
        if charge.check {
            self.check(out);
        }
    }

    fn canonical(&mut self, kind: Kind) {
        let held = self.added.floats[place(kind)];
        self.put(&kind.canonical(held));
    }

    /// Touches what a long bulk operator will, whose operands are on the stack and stay there.
    fn touch(&mut self, operator: &Operator<'_>) -> Result<(), CodeError> {
        // Behind all functions comes `reset`, and then those that touch.
        let reader = self.context.functions.len() as u32 + 1;
        let touch = Touch {
            to: self.added.ends,
            from: self.added.ends + 1,
            length: self.added.length,
            reader,
            writer: reader + 1,
        };
        self.put(&touch.before(operator)?);
        Ok(())
    }

    /// Charges a bulk operator by its length, which is on top of the operand stack and stays there.
    fn charge_length(&mut self, out: u32) {
        let Added { left, length, .. } = self.added;
        self.put(&[
            Instruction::LocalTee(length),
            Instruction::LocalGet(left),
            Instruction::LocalGet(length),
            Instruction::I64ExtendI32U,
            Instruction::I64Const(BULK_BYTES as i64 - 1),
            Instruction::I64Add,
            Instruction::I64Const(BULK_BYTES.trailing_zeros().into()),
            Instruction::I64ShrU,
            Instruction::I64Const(PER_BULK as i64),
            Instruction::I64Mul,
        ]);
        self.take();
        self.check(out);
    }
}

/// Writes a function with its charges. Its body becomes a block, so that every way out of it leads to the end:
///
/// ```text
/// block                  ;; left when the stack is full
///   block                ;; left when the gas is spent
///     count the stack, charge the first block
///     block (results) … the body … end
///     put the count of the stack back
///     return
///   end
///   unreachable
/// end
/// mark the stack as full
/// unreachable
/// ```
pub(super) fn function(
    context: &Context,
    encoder: &mut RoundtripReencoder,
    index: u32,
    body: &FunctionBody<'_>,
    result: BlockType,
) -> Result<Function, CodeError> {
    let ty = context.signature(index)?;
    let plan = Plan::new(context, ty, body)?;

    let mut locals = Vec::new();
    let mut count = ty.params().len() as u32;
    for local in body.get_locals_reader().map_err(broken)? {
        let (number, ty) = local.map_err(broken)?;
        count += number;
        locals.push((number, encoder.val_type(ty).map_err(broken)?));
    }
    let moved = Moved::new(ty.params().len(), count as usize, body)?;
    locals.push((1, ValType::I64));
    locals.push((2, ValType::I32));
    let kinds = [ValType::F32, ValType::F64, ValType::V128];
    let mut floats = [0; 3];
    let ends = count + 3;
    let mut next = ends;
    if plan.bulk {
        locals.push((2, ValType::I32));
        next += 2;
    }
    for ((place, kind), used) in floats.iter_mut().zip(kinds).zip(plan.floats) {
        if used {
            locals.push((1, kind));
            *place = next;
            next += 1;
        }
    }
    let mut writer = Writer {
        context,
        added: Added {
            left: count,
            length: count + 1,
            stack: count + 2,
            ends,
            floats,
        },
        function: Function::new(locals),
    };

    let empty = Instruction::Block(BlockType::Empty);
    writer.put(&[empty.clone(), empty]);
    let (stack, found) = (context.stack, writer.added.stack);
    if plan.counted {
        writer.put(&[
            Instruction::GlobalGet(stack),
            Instruction::LocalTee(found),
            Instruction::I32Const(plan.frame as i32),
            Instruction::I32Add,
            Instruction::GlobalSet(stack),
            Instruction::LocalGet(found),
            Instruction::I32Const(STACK_LIMIT.saturating_sub(plan.frame) as i32),
            Instruction::I32GtU,
            Instruction::BrIf(1),
        ]);
    }
    let mut charges = plan.charges.iter().peekable();
    if let Some(first) = charges.next_if(|charge| charge.at == 0) {
        writer.charge(first, 0);
    }
    writer.put(&[Instruction::Block(result)]);
    let mut nesting = 0u32;
    // The operator before, and the vector that it made, which is not canonical yet.
    let mut before: Option<Operator<'_>> = None;
    let mut open: Option<Kind> = None;
    for (at, operator) in body
        .get_operators_reader()
        .map_err(broken)?
        .into_iter()
        .enumerate()
    {
        let operator = operator.map_err(broken)?;
        if let Some(kind) = open.take().filter(|kind| !blind(*kind, &operator)) {
            writer.canonical(kind);
        }
        if let Some(charge) = charges.next_if(|charge| charge.at == at) {
            writer.charge(charge, nesting + 1);
        }
        if let Some(kind) = seen(&operator)
            && !before.as_ref().is_some_and(|before| moved.has(before))
        {
            writer.canonical(kind);
        }
        open = made(&operator);
        before = Some(operator.clone());
        match operator {
            Operator::Return => {
                writer.put(&[Instruction::Br(nesting)]);
                continue;
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => nesting += 1,
            Operator::MemoryCopy { .. } | Operator::MemoryFill { .. } => {
                writer.charge_length(nesting + 1);
                writer.touch(&operator)?;
            }
            // The last one ends the block that the body has become.
            Operator::End => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        let instruction = encoder.instruction(operator).map_err(broken)?;
        writer.put(&[instruction]);
    }
    if plan.counted {
        writer.put(&[Instruction::LocalGet(found), Instruction::GlobalSet(stack)]);
    }
    writer.put(&[
        Instruction::Return,
        Instruction::End,
        Instruction::Unreachable,
        Instruction::End,
        Instruction::I32Const(-1),
        Instruction::GlobalSet(stack),
        Instruction::Unreachable,
        Instruction::End,
    ]);
    Ok(writer.function)
}
