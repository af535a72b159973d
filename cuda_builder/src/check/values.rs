//! Which assignments an instruction may see.
//!
//! Registers of PTX are assigned more than once: LLVM gives the values of one variable, and of others that live at other
//! times, one register. What is known of a value must not be said of another that comes later in its register.

use std::collections::{BTreeSet, HashMap};

use super::body::{Body, Instruction, Name};
use super::flow::Graph;

/// A name that is assigned once at most, by its number; or one assignment of another name.
pub(crate) type Value = usize;

/// A block, and the place of an instruction in it.
pub(crate) type Place = (usize, usize);

/// The values of a body.
#[derive(Debug)]
pub(crate) struct Values {
    count: usize,
    names: Vec<Value>,
    /// For names that are assigned more than once: the value that an instruction makes, and those that it may see.
    made: HashMap<(Place, Name), Value>,
    seen: HashMap<(Place, Name), Vec<Value>>,
}

impl Values {
    /// Follows assignments; `results` says which names an instruction assigns.
    pub(crate) fn new(body: &Body, graph: &Graph<'_>, results: fn(&Instruction) -> &[Name]) -> Self {
        let names = (0..body.names.len()).collect();
        let mut values = Self { count: body.names.len(), names, made: HashMap::new(), seen: HashMap::new() };
        let by_name = values.number(body, graph, results);
        let flow = Flow { graph, made: &values.made, by_name: &by_name, first: body.names.len(), results };
        values.seen = flow.seen(values.count - body.names.len());
        values
    }

    /// Gives a number to each assignment of a name that has several.
    fn number(
        &mut self,
        body: &Body,
        graph: &Graph<'_>,
        results: fn(&Instruction) -> &[Name],
    ) -> HashMap<Name, Vec<Value>> {
        let mut assigned = vec![0_u32; body.names.len()];
        for name in body.instructions().flat_map(results) {
            assigned[*name] += 1;
        }
        let mut by_name: HashMap<Name, Vec<Value>> = HashMap::new();
        for (place, instruction) in places(graph) {
            for &name in results(instruction).iter().filter(|&&name| assigned[name] > 1) {
                by_name.entry(name).or_default().push(self.count);
                self.made.insert((place, name), self.count);
                self.count += 1;
            }
        }
        by_name
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// What the instruction may find where it reads `name`.
    pub(crate) fn seen(&self, place: Place, name: Name) -> &[Value] {
        self.seen.get(&(place, name)).map_or(std::slice::from_ref(&self.names[name]), Vec::as_slice)
    }

    /// What the instruction makes of `name`, and whether other instructions assign it, too.
    pub(crate) fn made(&self, place: Place, name: Name) -> (Value, bool) {
        self.made.get(&(place, name)).map_or((self.names[name], false), |&value| (value, true))
    }
}

fn places<'g>(graph: &'g Graph<'_>) -> impl Iterator<Item = (Place, &'g Instruction)> {
    let blocks = graph.blocks.iter().enumerate();
    blocks.flat_map(|(index, block)| block.instructions.iter().enumerate().map(move |(at, i)| ((index, at), *i)))
}

/// Assignments on their way through the blocks.
struct Flow<'a, 'g> {
    graph: &'a Graph<'g>,
    made: &'a HashMap<(Place, Name), Value>,
    by_name: &'a HashMap<Name, Vec<Value>>,
    /// The number of the first assignment.
    first: Value,
    results: fn(&Instruction) -> &[Name],
}

impl Flow<'_, '_> {
    /// For each instruction and name that it reads, the assignments that reach it.
    fn seen(&self, assignments: usize) -> HashMap<(Place, Name), Vec<Value>> {
        let mut entering = vec![Bits::new(assignments); self.graph.blocks.len()];
        let mut pending: BTreeSet<usize> = (0..entering.len()).collect();
        while let Some(block) = pending.pop_first() {
            let mut reaching = entering[block].clone();
            for (at, instruction) in self.graph.blocks[block].instructions.iter().enumerate() {
                self.step((block, at), instruction, &mut reaching);
            }
            // The way out of the kernel is no block.
            for &next in &self.graph.blocks[block].next {
                if entering.get_mut(next).is_some_and(|entering| entering.add(&reaching)) {
                    pending.insert(next);
                }
            }
        }
        let mut seen = HashMap::new();
        for (block, mut reaching) in entering.into_iter().enumerate() {
            for (at, instruction) in self.graph.blocks[block].instructions.iter().enumerate() {
                for &name in instruction.guard.iter().chain(instruction.operands.iter().flatten()) {
                    if let Some(all) = self.by_name.get(&name) {
                        let found = all.iter().copied().filter(|value| reaching.has(value - self.first)).collect();
                        seen.insert(((block, at), name), found);
                    }
                }
                self.step((block, at), instruction, &mut reaching);
            }
        }
        seen
    }

    fn step(&self, place: Place, instruction: &Instruction, reaching: &mut Bits) {
        for &name in (self.results)(instruction) {
            let Some(&value) = self.made.get(&(place, name)) else { continue };
            // Where the guard does not hold, the value before stays.
            if instruction.guard.is_none() {
                for other in &self.by_name[&name] {
                    reaching.remove(other - self.first);
                }
            }
            reaching.insert(value - self.first);
        }
    }
}

/// A set of small numbers.
#[derive(Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn has(&self, bit: usize) -> bool {
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    fn insert(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn remove(&mut self, bit: usize) {
        self.0[bit / 64] &= !(1 << (bit % 64));
    }

    /// Takes in another set; whether that changed anything.
    fn add(&mut self, other: &Self) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            changed |= theirs & !*mine != 0;
            *mine |= theirs;
        }
        changed
    }
}
