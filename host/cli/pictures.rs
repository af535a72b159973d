//! Pictures of what was found, as typed and as drawn.

use std::path::PathBuf;

use clap::Args;

use super::input::Data;
use super::interrupt;
use super::typed::{count, number};
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::mean_shift::{Clustering, MeanShift};
use crate::picture::{Animation, Format, Scatter, scatter, trace, weight_functions};

/// Points that an animation follows at most.
const ANIMATED: usize = 5_000;

/// Which pictures.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Pictures")]
pub struct PictureArgs {
    /// Draws the points by cluster: .png or .svg. Beyond two dimensions, their first two principal components
    #[arg(long, value_name = "FILE", conflicts_with = "stream")]
    pub plot: Option<PathBuf>,

    /// Draws the points gathering, a frame an iteration: .gif, or .html, a page that plays without a network
    #[arg(long, value_name = "FILE", conflicts_with = "stream")]
    pub animate: Option<PathBuf>,

    /// Draws the ways of some points to their modes: .png or .svg
    #[arg(long, value_name = "FILE", conflicts_with = "stream")]
    pub trace: Option<PathBuf>,

    /// How many points, for --trace; 200 if not given
    #[arg(long, value_name = "N", value_parser = count::<usize>, allow_negative_numbers = true)]
    pub traced: Option<usize>,
}

impl PictureArgs {
    /// Checks what can be seen to be senseless before anything is done.
    ///
    /// # Errors
    /// [`Error::PictureName`], [`Error::Option`]; [`Error::Conflict`] for an option without effect.
    pub fn check(&self) -> Result<()> {
        for path in [&self.plot, &self.trace].into_iter().flatten() {
            Format::of(path)?;
        }
        if let Some(path) = &self.animate {
            Animation::check(path)?;
        }
        if self.traced.is_some() && self.trace.is_none() {
            let (what, why) = ("--traced without --trace", "it is how many ways that draws");
            return Err(Error::Conflict { what, why });
        }
        match self.traced {
            Some(traced) if !(1..=10_000).contains(&traced) => {
                Err(Error::Option { option: "--traced", value: traced.to_string(), must: "from 1 to 10000" })
            }
            _ => Ok(()),
        }
    }

    /// Whether there are any.
    pub fn are_any(&self) -> bool {
        self.plot.is_some() || self.animate.is_some() || self.trace.is_some()
    }

    /// Draws and writes them.
    ///
    /// # Errors
    /// Whatever the device reports; [`Error::WriteFile`]; [`Error::Interrupted`].
    pub fn write(&self, device: &Device, estimator: &MeanShift, data: &Data, clustering: &Clustering) -> Result<()> {
        let points = &data.points;
        let options = Scatter { names: &data.names, title: None, standardization: data.standardization.as_ref() };
        if let Some(path) = &self.plot {
            scatter(points, clustering, &options).save(path)?;
        }
        interrupt::check()?;
        if let Some(path) = &self.animate {
            let frames = estimator.frames_watched(points, ANIMATED, |_| interrupt::flow())?;
            interrupt::check()?;
            Animation::new(device, points, clustering, &frames, &options)?.save(path)?;
        }
        if let Some(path) = &self.trace {
            let traced = self.traced.unwrap_or(200);
            let frames = estimator.frames_watched(points, traced, |_| interrupt::flow())?;
            interrupt::check()?;
            trace(points, clustering, &frames, &options).save(path)?;
        }
        Ok(())
    }
}

/// Draws the weight functions over the distance.
#[derive(Clone, Debug, Args)]
pub struct PlotKernelArgs {
    /// The picture: .png or .svg
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,

    /// The bandwidth
    #[arg(long, value_name = "H", value_parser = number, default_value_t = 2.5, allow_hyphen_values = true)]
    pub bandwidth: f64,
}

impl PlotKernelArgs {
    /// Does what was typed.
    ///
    /// # Errors
    /// [`Error::Option`], [`Error::PictureName`], [`Error::WriteFile`].
    pub fn run(&self) -> Result<()> {
        if !(1e-30..=1e30).contains(&self.bandwidth) {
            let value = self.bandwidth.to_string();
            return Err(Error::Option { option: "--bandwidth", value, must: "between 1e-30 and 1e30" });
        }
        weight_functions(self.bandwidth).save(&self.output)
    }
}
