"""Listings, loops, instructions, what is counted of them."""

import unittest
from collections import Counter

from processor_code.assembly import Instruction, functions, innermost_loops
from processor_code.instructions import forbidden, is_anchor
from processor_code.measure import measure

from .fixtures import KERNEL, KERNELS, listing

WHOLE = """
vfmadd231ps %ymm1,%ymm2,%ymm3
vbroadcastss (%rcx),%ymm1
movss (%rcx),%xmm1
shufps $0x0,%xmm1,%xmm1
pshufd $0x55,%xmm1,%xmm2
vshufps $0x0,%xmm1,%xmm1,%xmm2
vxorps %xmm0,%xmm0,%xmm0
vblendvps %ymm0,%ymm1,%ymm2,%ymm3
vmovups %ymm1,(%rsp)
vmovd %eax,%xmm0
movsxd %eax,%rcx
add $0x8,%r10
""".strip().splitlines()

PIECES = """
vsubss 0x2c(%rsp),%xmm2,%xmm6
vfmadd213ss %xmm7,%xmm4,%xmm4
vcvtsi2ss %eax,%xmm0,%xmm0
ucomiss %xmm0,%xmm1
vaddps %xmm1,%xmm2,%xmm3
vinsertps $0x10,%xmm1,%xmm2,%xmm3
vextractf64x4 $0x1,%zmm15,%ymm14
vextractps $0x1,%xmm7,0x548(%rsp)
pinsrd $0x1,%eax,%xmm1
vpermt2ps %zmm1,%zmm2,%zmm3
unpcklps %xmm1,%xmm2
vblendps $0x1,%ymm1,%ymm2,%ymm3
movlhps %xmm1,%xmm2
shufps $0xe0,%xmm1,%xmm1
shufps $0x0,%xmm1,%xmm2
vshufps $0x0,%ymm1,%ymm1,%ymm2
vbroadcastsd (%rax),%ymm1
vmovss %xmm6,0x184(%rsp)
movsd (%rax),%xmm0
movd %xmm0,%eax
""".strip().splitlines()


def instruction(text: str) -> Instruction:
    """One instruction of a listing."""
    lines = ["10 <k::processor::avx2::entry>:\n", f"  10:\t{text}\n"]
    return next(functions(lines)).code[0]


class Assembly(unittest.TestCase):
    def test_functions_of_kernels_alone(self) -> None:
        found = [(function.kernel, function.kind) for function in listing("whole")]
        self.assertEqual(found, [(KERNEL, "baseline"), (KERNEL, "avx2"), (KERNEL, "avx512")])

    def test_operands_with_addresses(self) -> None:
        found = instruction("vbroadcastss -0x4(%rcx,%r10,1),%ymm0")
        self.assertEqual(found.operands, ("-0x4(%rcx,%r10,1)", "%ymm0"))
        self.assertEqual(instruction("{evex} vaddps (%rax){1to8},%ymm1,%ymm2  # 12").name, "vaddps")

    def test_a_loop_around_a_loop_is_left_out(self) -> None:
        for function in listing("whole"):
            (loop,) = innermost_loops(function.code)
            self.assertEqual(loop[-1].name, "jne")
            self.assertEqual(loop[-1].target, loop[0].address)
            self.assertNotIn("dec", [instruction.name for instruction in loop])

    def test_two_ways_back_are_one_loop(self) -> None:
        code = [Instruction(1, "nop", ()), Instruction(2, "je", ("1 <f>",)), Instruction(3, "jmp", ("1 <f>",))]
        self.assertEqual(innermost_loops(code), [code])


class Instructions(unittest.TestCase):
    def test_what_a_whole_vector_does(self) -> None:
        for text in WHOLE:
            whole = 16 if "%xmm" in text and "%ymm" not in text else 32
            self.assertIsNone(forbidden(instruction(text), whole), text)

    def test_what_takes_it_to_pieces(self) -> None:
        for text in PIECES:
            self.assertIsNotNone(forbidden(instruction(text), 32), text)

    def test_anchors(self) -> None:
        self.assertTrue(is_anchor(instruction("vpslld $0x17,%ymm1,%ymm2"), "exponential"))
        self.assertFalse(is_anchor(instruction("vpslld $0x10,%ymm1,%ymm2"), "exponential"))
        self.assertTrue(is_anchor(instruction("sqrtps %xmm1,%xmm2"), "root"))
        self.assertFalse(is_anchor(instruction("sqrtss %xmm1,%xmm2"), "root"))


class Loops(unittest.TestCase):
    def test_whole_vectors(self) -> None:
        results = measure(listing("whole"), KERNELS)
        found = {
            kind: (measured.per_vector, measured.dearest.pairs, measured.forbidden)
            for (_, kind), measured in results.items()
        }
        self.assertEqual(found, {"baseline": (28.5, 8, {}), "avx2": (20, 16, {}), "avx512": (18, 32, {})})

    def test_vectors_in_pieces(self) -> None:
        results = measure(listing("pieces"), KERNELS)
        self.assertEqual(results[KERNEL, "avx2"].per_vector, 83)
        self.assertEqual(results[KERNEL, "avx2"].forbidden["vextractps"], 4)
        halves = {"vextractf64x4": 1, "vinsertf64x4": 1, "vsubps of 32 bytes": 2, "vfmadd231ps of 32 bytes": 2}
        self.assertEqual(results[KERNEL, "avx512"].forbidden, Counter(halves))

    def test_narrow_vectors_cost_as_much_more(self) -> None:
        narrow = [function for function in listing("whole") if function.kind == "avx2"]
        wide = [type(function)(function.kernel, "avx512", function.code) for function in narrow]
        self.assertEqual(measure(wide, KERNELS)[KERNEL, "avx512"].per_vector, 40)
