"""Reads SASS, the machine code that nvdisasm prints: functions, basic blocks, loops."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SECTION = re.compile(r"^\s*\.section\s+\.text\.([^\s,]+)\s*,")
ANY_SECTION = re.compile(r"^\s*\.section\s")
LABEL = re.compile(r"^([.$\w]+):\s*$")
INSTRUCTION = re.compile(
    r"^\s*/\*(?P<address>[0-9a-f]{4,})\*/\s+"
    r"(?:@(?P<guard>!?U?P[T\d]+)\s+)?"
    r"(?P<opcode>[A-Z][A-Z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
    r"\s*(?P<operands>[^;]*?)\s*;"
)
TARGET = re.compile(r"`\(([^)]+)\)|(\.L_\w+)")

BRANCHES = {"BRA", "BRX", "JMP", "JMX", "JMXU", "BRXU"}
ENDS = {"EXIT", "RET", "KILL", "BPT"}


@dataclass(frozen=True)
class Instruction:
    """One instruction: its guard predicate (`!P0`, or none), opcode with suffixes, operands as text."""

    address: int
    guard: str | None
    opcode: str
    operands: str

    @property
    def name(self) -> str:
        """The opcode without suffixes: `LDS` of `LDS.128`."""
        return self.opcode.partition(".")[0]

    @property
    def suffixes(self) -> list[str]:
        """What follows the name: `["E", "128"]` of `LDG.E.128`."""
        return self.opcode.split(".")[1:]

    @property
    def targets(self) -> list[str]:
        """Labels that the operands name."""
        return [quoted or bare for quoted, bare in TARGET.findall(self.operands)]

    @property
    def conditional(self) -> bool:
        """Whether control may also go on behind it: a guard, a predicate among the operands, or a vote."""
        guarded = self.guard not in (None, "PT", "UPT")
        return guarded or bool({"DIV", "CONV", "U"} & set(self.suffixes)) or bool(re.match(r"!?U?P\d", self.operands))


@dataclass
class Block:
    """A basic block: instructions `start..end` of its function, and the blocks that may follow."""

    start: int
    end: int
    successors: list[int] = field(default_factory=list)


@dataclass
class Loop:
    """A natural loop: its header block and all blocks of its body, by number."""

    header: int
    blocks: frozenset[int]


@dataclass
class Function:
    """A `.text` section: instructions in order, and the instruction that each label stands before."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def innermost_loops(self) -> list[list[Instruction]]:
        """The instructions of each loop that holds no other loop, in order of address."""
        blocks = basic_blocks(self)
        loops = natural_loops(blocks)
        headers = {loop.header for loop in loops}
        inner = [loop for loop in loops if headers & loop.blocks == {loop.header}]
        return [
            [i for block in sorted(loop.blocks) for i in self.instructions[blocks[block].start : blocks[block].end]]
            for loop in sorted(inner, key=lambda loop: loop.header)
        ]


def parse(listing: str) -> dict[str, Function]:
    """The functions of a disassembly, by name."""
    functions: dict[str, Function] = {}
    current: Function | None = None
    for line in listing.splitlines():
        if section := SECTION.match(line):
            current = functions.setdefault(section[1], Function(section[1]))
        elif ANY_SECTION.match(line):
            current = None
        elif current is None:
            continue
        elif label := LABEL.match(line):
            current.labels[label[1]] = len(current.instructions)
        elif found := INSTRUCTION.match(line):
            current.instructions.append(
                Instruction(int(found["address"], 16), found["guard"], found["opcode"], found["operands"])
            )
    return functions


def basic_blocks(function: Function) -> list[Block]:
    """Cuts a function at branches and at labels that branches name. A call counts as an instruction
    like any other: control comes back behind it."""
    code = function.instructions
    leaders = {0}
    for at, instruction in enumerate(code):
        if instruction.name in BRANCHES:
            leaders |= {function.labels[t] for t in instruction.targets if t in function.labels}
        if instruction.name in BRANCHES | ENDS:
            leaders.add(at + 1)
    starts = sorted(leader for leader in leaders if leader < len(code))
    blocks = [Block(start, end) for start, end in zip(starts, starts[1:] + [len(code)])]
    number = {block.start: at for at, block in enumerate(blocks)}
    for at, block in enumerate(blocks):
        block.successors = list(_successors(function, code[block.end - 1], number, at + 1))
    return blocks


def _successors(function: Function, last: Instruction, number: dict[int, int], following: int) -> Iterator[int]:
    """The blocks that may follow one that ends with `last`."""
    if last.name in BRANCHES:
        for target in last.targets:
            if function.labels.get(target) in number:
                yield number[function.labels[target]]
    if (last.name not in BRANCHES | ENDS or last.conditional) and following < len(number):
        yield following


def natural_loops(blocks: list[Block]) -> list[Loop]:
    """The loops of what can be reached from the first block: for each edge to a block that dominates
    its origin, all that reaches the origin without passing that block. Loops of one header are one."""
    dominators = _dominators(blocks)
    before: dict[int, list[int]] = {at: [] for at in dominators}
    for at in dominators:
        for successor in blocks[at].successors:
            before[successor].append(at)
    bodies: dict[int, set[int]] = {}
    for at, over in dominators.items():
        for header in set(blocks[at].successors) & over:
            body = bodies.setdefault(header, {header})
            waiting = [at]
            while waiting:
                block = waiting.pop()
                if block not in body:
                    body.add(block)
                    waiting += before[block]
    return [Loop(header, frozenset(body)) for header, body in bodies.items()]


def _dominators(blocks: list[Block]) -> dict[int, set[int]]:
    """The blocks that every way to a block passes, itself among them, for each reachable block."""
    order = _reverse_postorder(blocks)
    before: dict[int, list[int]] = {at: [] for at in order}
    for at in order:
        for successor in blocks[at].successors:
            before[successor].append(at)
    dominators: dict[int, set[int]] = {at: set(order) for at in order}
    if order:
        dominators[0] = {0}
    changed = True
    while changed:
        changed = False
        for at in order[1:]:
            over = set.intersection(*(dominators[b] for b in before[at])) | {at}
            if over != dominators[at]:
                dominators[at] = over
                changed = True
    return dominators


def _reverse_postorder(blocks: list[Block]) -> list[int]:
    """Blocks that can be reached from the first, each before its successors but for loops."""
    if not blocks:
        return []
    order: list[int] = []
    seen = {0}
    stack = [(0, iter(blocks[0].successors))]
    while stack:
        at, successors = stack[-1]
        following = next((s for s in successors if s not in seen), None)
        if following is None:
            order.append(at)
            stack.pop()
        else:
            seen.add(following)
            stack.append((following, iter(blocks[following].successors)))
    return order[::-1]
