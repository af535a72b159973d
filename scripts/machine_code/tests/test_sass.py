"""Parsing of disassembly, on snippets of what nvdisasm prints."""

import unittest

from machine_code import mix, sass

# Two loops: one within another, and a branch around a call in the inner one. Behind the end, the slow
# path that is called, with a loop of its own that nothing branches to, and the assembler's padding.
NESTED = """
	.section	.nv.info.step,"",@"SHT_CUDA_INFO"
        /*0000*/ 	.byte	0x04, 0x2f
//--------------------- .text.step --------------------------
	.section	.text.step,"ax",@progbits
        .global         step
step:
.text.step:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_3:
        /*0010*/                   IADD3 R4, P1, R4, UR4, RZ ;
.L_x_2:
        /*0020*/                   LDS.128 R16, [R51+-0x10] ;
        /*0030*/                   MUFU.EX2 R53, -R53 ;
        /*0040*/                   FFMA R62, R62, R53.reuse, R23 ;
        /*0050*/               @P1 BRA `(.L_x_1) ;
        /*0060*/                   CALL.REL.NOINC `($__internal_0_$__slowpath) ;
.L_x_1:
        /*0070*/                   ISETP.GE.U32.AND P0, PT, R49, R50, PT ;
        /*0080*/              @!P0 BRA `(.L_x_2) ;
        /*0090*/                   LDG.E.64.CONSTANT R2, desc[UR6][R2.64+-0x4] ;
        /*00a0*/              @!P2 BRA `(.L_x_3) ;
        /*00b0*/                   EXIT ;
        .weak           $__internal_0_$__slowpath
$__internal_0_$__slowpath:
        /*00c0*/                   FMUL R0, R0, R0 ;
.L_x_4:
        /*00d0*/                   FADD R0, R0, R0 ;
        /*00e0*/               @P0 BRA `(.L_x_4) ;
        /*00f0*/                   RET.REL.NODEC R2 `(step) ;
.L_x_5:
        /*0100*/                   BRA `(.L_x_5);
        /*0110*/                   NOP;
	.section	.nv.shared.step,"aw",@nobits
"""


def instruction(text: str) -> sass.Instruction:
    """One instruction, as the only one of a function."""
    listing = f'\t.section\t.text.k,"ax"\n        /*0000*/   {text} ;\n'
    return sass.parse(listing)["k"].instructions[0]


class Parsing(unittest.TestCase):
    def test_instructions_have_guards_opcodes_and_operands(self) -> None:
        found = instruction("@!P0 LDS.U.128 R16, [R51+-0x10]")
        self.assertEqual((found.guard, found.name, found.suffixes), ("!P0", "LDS", ["U", "128"]))
        self.assertEqual(found.operands, "R16, [R51+-0x10]")
        self.assertEqual(instruction("@UP1 UIADD3 UR4, UR4, 0x1, URZ").guard, "UP1")
        self.assertIsNone(instruction("EXIT").guard)

    def test_branches_name_their_targets(self) -> None:
        self.assertEqual(instruction("@P0 BRA `(.L_x_12)").targets, [".L_x_12"])
        self.assertEqual(instruction("BRA.U UP0, `(.L_x_7)").targets, [".L_x_7"])
        table = instruction('BRX R2 -0x10                (*"BRANCH_TARGETS .L_x_1,.L_x_2"*)')
        self.assertEqual(table.targets, [".L_x_1", ".L_x_2"])

    def test_conditions_are_guards_predicates_and_votes(self) -> None:
        for text in ("@P0 BRA `(.L_x_1)", "BRA P1, `(.L_x_1)", "BRA !UP0, `(.L_x_1)", "BRA.DIV UR4, `(.L_x_1)"):
            self.assertTrue(instruction(text).conditional, text)
        self.assertFalse(instruction("BRA `(.L_x_1)").conditional)

    def test_functions_are_the_text_sections(self) -> None:
        functions = sass.parse(NESTED)
        self.assertEqual(list(functions), ["step"])
        self.assertEqual(len(functions["step"].instructions), 18)
        self.assertEqual(functions["step"].labels[".L_x_2"], 2)

    def test_nothing_gives_nothing(self) -> None:
        self.assertEqual(sass.parse(""), {})
        self.assertEqual(sass.Function("empty").innermost_loops(), [])


class Loops(unittest.TestCase):
    def test_the_inner_loop_is_found_whole_and_alone(self) -> None:
        (loop,) = sass.parse(NESTED)["step"].innermost_loops()
        self.assertEqual([i.address for i in loop], list(range(0x20, 0x90, 0x10)))

    def test_blocks_end_at_branches_and_begin_at_their_targets(self) -> None:
        blocks = sass.basic_blocks(sass.parse(NESTED)["step"])
        self.assertEqual([(b.start, b.end) for b in blocks[:4]], [(0, 1), (1, 2), (2, 6), (6, 7)])
        self.assertEqual(sorted(blocks[2].successors), [3, 4])
        ends = [b for b in blocks if b.end == 12]
        self.assertEqual(ends[0].successors, [])

    def test_a_guarded_exit_goes_on_behind_it(self) -> None:
        text = NESTED.replace("                   EXIT", "               @P3 EXIT")
        self.assertEqual(len(sass.parse(text)["step"].innermost_loops()), 2)

    def test_two_ways_back_are_one_loop(self) -> None:
        text = NESTED.replace("CALL.REL.NOINC `($__internal_0_$__slowpath)", "BRA `(.L_x_2)")
        (loop,) = sass.parse(text)["step"].innermost_loops()
        self.assertEqual(len(loop), 7)


class Mix(unittest.TestCase):
    def test_classes(self) -> None:
        cases = {
            "LDS.U.128 R16, [R51]": "LDS.128",
            "LDS R1, [R2+0x4]": "LDS",
            "LDG.E.64.CONSTANT R2, desc[UR6][R2.64]": "LDG.64",
            "LD.E R2, desc[UR6][R2.64]": "LD",
            "MUFU.EX2 R53, -R53": "MUFU.EX2",
            "FSETP.GT.AND P0, PT, R2, RZ, PT": "FSETP",
            "HMMA.16816.F32.BF16 R4, R8, R12, R4": "HMMA",
            "FADD.FTZ R1, R2, R3": "FADD",
            "HFMA2.MMA R39, -RZ, RZ, 0, 0": mix.OTHER,
            "ISETP.GE.U32.AND P0, PT, R49, R50, PT": mix.OTHER,
        }
        for text, kind in cases.items():
            self.assertEqual(mix.classify(instruction(text)), kind, text)

    def test_counts_and_floating_point_work(self) -> None:
        (loop,) = sass.parse(NESTED)["step"].innermost_loops()
        counts = mix.count(loop)
        self.assertEqual(counts, {"LDS.128": 1, "MUFU.EX2": 1, "FFMA": 1, mix.OTHER: 4})
        self.assertEqual(mix.floating_point_work(counts), 2)
