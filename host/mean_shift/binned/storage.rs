//! What of a grid's nodes a field stores.

use gpu::blocks::held;

use super::blocks::Blocks;
use super::grid::{FEW_DIMENSIONS, Grid};
use super::patches::Patches;
use super::pieces::Pieces;
use super::plan::Plan;
use crate::error::Result;
use crate::executor::{Buffer, Device};

/// Which nodes are to be stored.
#[derive(Debug)]
pub enum Wanted {
    /// All, in up to three dimensions.
    All,
    /// Those of blocks, in two and three dimensions.
    Blocks(Plan),
    /// Those of patches, in four and five dimensions, of which one may be all of the grid.
    Patches(Pieces),
}

/// Which nodes are stored, on a device, and what they are made with; sums and nodes stand elsewhere.
#[derive(Debug)]
pub enum Stored {
    /// All, between two builds of which there are planes.
    All([Buffer<f32>; 2]),
    Blocks(Box<Blocks>),
    Patches(Box<Patches>),
}

impl Wanted {
    /// All of a grid.
    pub fn all(grid: &Grid) -> Self {
        if grid.d > FEW_DIMENSIONS { Self::Patches(Pieces::whole(grid)) } else { Self::All }
    }

    /// Bytes of a field, with so many copies of its sums.
    pub fn bytes(&self, grid: &Grid, copies: u32) -> u128 {
        match self {
            Self::All => grid.bytes(copies),
            Self::Blocks(plan) => plan.bytes(copies),
            Self::Patches(pieces) => pieces.bytes(copies),
        }
    }

    /// Nodes with sums, and nodes that are read.
    pub fn nodes(&self, grid: &Grid) -> [usize; 2] {
        match self {
            Self::All => [grid.count(); 2],
            Self::Blocks(plan) => [plan.summed.len(), plan.read.len()].map(|blocks| blocks * held(grid.d)),
            Self::Patches(pieces) => pieces.nodes().map(|nodes| nodes as usize),
        }
    }
}

impl Stored {
    /// What is wanted, on a device.
    pub fn new(device: &Device, grid: &Grid, wanted: Wanted) -> Result<Self> {
        let plane = || device.zeros((grid.d + 1) * grid.plane());
        Ok(match wanted {
            Wanted::All => Self::All([plane()?, plane()?]),
            Wanted::Blocks(plan) => Self::Blocks(Box::new(Blocks::new(device, plan)?)),
            Wanted::Patches(pieces) => Self::Patches(Box::new(Patches::new(device, pieces)?)),
        })
    }

    /// Nothing.
    pub fn none(device: &Device) -> Result<Self> {
        Ok(Self::All([device.zeros(0)?, device.zeros(0)?]))
    }
}
