//! Makes every NaN that a program can see the canonical one, which WebAssembly leaves open and processors do differently.
//!
//! Scalars are made canonical where their bits can be seen: when they are stored, reinterpreted as integers, put into a
//! vector, or give their sign to another. Between that they stay in float operators, to which one NaN is like another.
//! That costs a compiled loop almost nothing, unlike a check behind each operator. What was only moved keeps its bits, as
//! the standard wants: a value loaded, given as a constant or reinterpreted, and locals that hold nothing else. A NaN
//! that came through a parameter, a result, a global or a block becomes canonical, moved or not.
//!
//! Bits of vectors can be seen anywhere, so they are made canonical behind each float operator, except where the next
//! operator is another one.

use super::metering::broken;
use crate::CodeError;
use wasm_encoder::Instruction;
use wasmparser::{FunctionBody, Operator};

/// Kinds of floats that are made canonical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F64,
    F32x4,
    F64x2,
}

impl Kind {
    /// Makes the value on top of the operand stack canonical; `held` is a local for it.
    pub(super) fn canonical(self, held: u32) -> [Instruction<'static>; 6] {
        const F32: u32 = 0x7fc0_0000;
        const F64: u64 = 0x7ff8_0000_0000_0000;
        let (nan, equal, choice) = match self {
            Self::F32 => (
                Instruction::F32Const(f32::from_bits(F32).into()),
                Instruction::F32Eq,
                Instruction::Select,
            ),
            Self::F64 => (
                Instruction::F64Const(f64::from_bits(F64).into()),
                Instruction::F64Eq,
                Instruction::Select,
            ),
            Self::F32x4 => (
                Instruction::V128Const(i128::from_le_bytes(
                    [F32.to_le_bytes(); 4]
                        .concat()
                        .try_into()
                        .unwrap_or([0; 16]),
                )),
                Instruction::F32x4Eq,
                Instruction::V128Bitselect,
            ),
            Self::F64x2 => (
                Instruction::V128Const(i128::from(F64) | i128::from(F64) << 64),
                Instruction::F64x2Eq,
                Instruction::V128Bitselect,
            ),
        };
        // A NaN is what does not equal itself.
        [
            Instruction::LocalTee(held),
            nan,
            Instruction::LocalGet(held),
            Instruction::LocalGet(held),
            equal,
            choice,
        ]
    }
}

/// The operand on top of the stack whose bits an operator lets be seen.
pub(super) fn seen(operator: &Operator<'_>) -> Option<Kind> {
    match operator {
        Operator::F32Store { .. }
        | Operator::I32ReinterpretF32
        | Operator::F32Copysign
        | Operator::F32x4Splat
        | Operator::F32x4ReplaceLane { .. } => Some(Kind::F32),
        Operator::F64Store { .. }
        | Operator::I64ReinterpretF64
        | Operator::F64Copysign
        | Operator::F64x2Splat
        | Operator::F64x2ReplaceLane { .. } => Some(Kind::F64),
        _ => None,
    }
}

/// The vector of floats that an operator makes and that may hold a NaN of its own.
pub(super) fn made(operator: &Operator<'_>) -> Option<Kind> {
    use Operator as O;
    match operator {
        O::F32x4Add
        | O::F32x4Sub
        | O::F32x4Mul
        | O::F32x4Div
        | O::F32x4Sqrt
        | O::F32x4Min
        | O::F32x4Max
        | O::F32x4Ceil
        | O::F32x4Floor
        | O::F32x4Trunc
        | O::F32x4Nearest
        | O::F32x4DemoteF64x2Zero => Some(Kind::F32x4),
        O::F64x2Add
        | O::F64x2Sub
        | O::F64x2Mul
        | O::F64x2Div
        | O::F64x2Sqrt
        | O::F64x2Min
        | O::F64x2Max
        | O::F64x2Ceil
        | O::F64x2Floor
        | O::F64x2Trunc
        | O::F64x2Nearest
        | O::F64x2PromoteLowF32x4 => Some(Kind::F64x2),
        _ => None,
    }
}

/// Whether an operator takes floats from the top of the stack to which one NaN is like another, and makes its own
/// canonical: nothing has to be done to them before it. Those that read the lanes by another width are not among them.
pub(super) fn blind(before: Kind, operator: &Operator<'_>) -> bool {
    match operator {
        Operator::F32x4DemoteF64x2Zero => before == Kind::F64x2,
        Operator::F64x2PromoteLowF32x4 => before == Kind::F32x4,
        operator => made(operator) == Some(before),
    }
}

/// The locals of a function that hold nothing but values that were moved.
pub(super) struct Moved {
    /// For each local, whether something else may be in it.
    other: Vec<bool>,
}

impl Moved {
    /// Looks at a function with so many parameters, and so many locals, parameters included.
    pub(super) fn new(
        parameters: usize,
        locals: usize,
        body: &FunctionBody<'_>,
    ) -> Result<Self, CodeError> {
        let mut own = Self {
            other: (0..locals).map(|index| index < parameters).collect(),
        };
        // What is moved from one local to another, by where it comes from.
        let mut targets = vec![Vec::new(); locals];
        let mut work: Vec<usize> = (0..parameters).collect();
        let mut before = None;
        for operator in body.get_operators_reader().map_err(broken)? {
            let operator = operator.map_err(broken)?;
            if let Operator::LocalSet { local_index } | Operator::LocalTee { local_index } =
                operator
            {
                let target = local_index as usize;
                match &before {
                    Some(
                        Operator::LocalGet { local_index } | Operator::LocalTee { local_index },
                    ) => {
                        if let Some(targets) = targets.get_mut(*local_index as usize) {
                            targets.push(target);
                        }
                    }
                    Some(operator) if is_origin(operator) => {}
                    _ => work.push(target),
                }
            }
            before = Some(operator);
        }
        while let Some(local) = work.pop() {
            if let Some(other) = own.other.get_mut(local) {
                *other = true;
                work.append(&mut std::mem::take(&mut targets[local]));
            }
        }
        Ok(own)
    }

    /// Whether the value that an operator leaves on top of the stack was only moved since its bits were given.
    pub(super) fn has(&self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::LocalGet { local_index } | Operator::LocalTee { local_index } => {
                self.other.get(*local_index as usize) == Some(&false)
            }
            operator => is_origin(operator),
        }
    }
}

/// Whether an operator gives a scalar whose bits are the same everywhere.
fn is_origin(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::F32Load { .. }
            | Operator::F64Load { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::F32ReinterpretI32
            | Operator::F64ReinterpretI64
            | Operator::F32x4ExtractLane { .. }
            | Operator::F64x2ExtractLane { .. }
            | Operator::F32ConvertI32S
            | Operator::F32ConvertI32U
            | Operator::F32ConvertI64S
            | Operator::F32ConvertI64U
            | Operator::F64ConvertI32S
            | Operator::F64ConvertI32U
            | Operator::F64ConvertI64S
            | Operator::F64ConvertI64U
    )
}
