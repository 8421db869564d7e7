//! Long bulk operators touch their memory before they begin.
//!
//! wasmtime copies and fills in code of its own, in which nothing may stop: a program that pays for few pages could have
//! it open, save and write all of a memory before the message ends. So in front of a bulk operator of more than
//! [`SHORT`] bytes a small function of the program touches one byte of each page of its ranges. There a message stops at
//! the first page for which it cannot pay. What is written is what was there before.

use super::metering::broken;
use crate::CodeError;
use wasm_encoder::{BlockType, Function, Instruction, MemArg, ValType};
use wasmparser::Operator;

/// Bytes that a bulk operator may touch without that: 16 pages of the operating system and one more.
const SHORT: i32 = 64 << 10;
/// Bytes from one touch to the next.
const STEP: i32 = 4 << 10;

/// The parameters of the functions that touch: where, and how many bytes.
pub(super) const PARAMETERS: [ValType; 2] = [ValType::I32, ValType::I32];

/// What is put in front of a bulk operator.
pub(super) struct Touch {
    /// Local for its destination.
    pub(super) to: u32,
    /// Local for its source, or the value that it fills with.
    pub(super) from: u32,
    /// Local that holds its length.
    pub(super) length: u32,
    /// Index of the function that touches for reading.
    pub(super) reader: u32,
    /// Index of the function that touches for writing.
    pub(super) writer: u32,
}

impl Touch {
    /// The operands are on the stack, the length on top, and stay there.
    pub(super) fn before(
        &self,
        operator: &Operator<'_>,
    ) -> Result<Vec<Instruction<'static>>, CodeError> {
        let copies = match operator {
            Operator::MemoryCopy { .. } => true,
            Operator::MemoryFill { .. } => false,
            _ => return Err(broken("only copying and filling are bulk operators")),
        };
        let mut all = vec![
            Instruction::LocalSet(self.length),
            Instruction::LocalSet(self.from),
            Instruction::LocalSet(self.to),
            Instruction::LocalGet(self.length),
            Instruction::I32Const(SHORT),
            Instruction::I32GtU,
            Instruction::If(BlockType::Empty),
            Instruction::LocalGet(self.to),
            Instruction::LocalGet(self.length),
            Instruction::Call(self.writer),
        ];
        if copies {
            all.extend([
                Instruction::LocalGet(self.from),
                Instruction::LocalGet(self.length),
                Instruction::Call(self.reader),
            ]);
        }
        all.extend([
            Instruction::End,
            Instruction::LocalGet(self.to),
            Instruction::LocalGet(self.from),
            Instruction::LocalGet(self.length),
        ]);
        Ok(all)
    }
}

/// The function that touches a range, which is not empty. Behind the end of the memory it traps, as the operator would.
pub(super) fn function(write: bool) -> Function {
    const AT: u32 = 0;
    const LENGTH: u32 = 1;
    const END: u32 = 2;
    let byte = MemArg {
        offset: 0,
        align: 0,
        memory_index: 0,
    };
    let access = |address: &[Instruction<'static>]| {
        let mut all = Vec::new();
        if write {
            all.extend_from_slice(address);
        }
        all.extend_from_slice(address);
        all.push(Instruction::I32Load8U(byte));
        all.push(if write {
            Instruction::I32Store8(byte)
        } else {
            Instruction::Drop
        });
        all
    };
    let mut body = vec![
        Instruction::LocalGet(AT),
        Instruction::I64ExtendI32U,
        Instruction::LocalGet(LENGTH),
        Instruction::I64ExtendI32U,
        Instruction::I64Add,
        Instruction::LocalSet(END),
        Instruction::Loop(BlockType::Empty),
    ];
    body.extend(access(&[Instruction::LocalGet(AT)]));
    body.extend([
        Instruction::LocalGet(AT),
        Instruction::I32Const(STEP),
        Instruction::I32Add,
        Instruction::LocalTee(AT),
        Instruction::I64ExtendI32U,
        Instruction::LocalGet(END),
        Instruction::I64LtU,
        Instruction::BrIf(0),
        Instruction::End,
    ]);
    body.extend(access(&[
        Instruction::LocalGet(END),
        Instruction::I64Const(1),
        Instruction::I64Sub,
        Instruction::I32WrapI64,
    ]));
    body.push(Instruction::End);
    let mut function = Function::new([(1, ValType::I64)]);
    for instruction in &body {
        function.instruction(instruction);
    }
    function
}
