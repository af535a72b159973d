//! The run: pixels to the device, filtered, united; regions and labels back.

use std::time::{Duration, Instant};

use gpu::components::{component_numbers, component_roots};
use gpu::filter::{MOVING, PAD, filter_flat, filter_gaussian, unite_pixels};
use gpu::layout::STRIDE;
use image::{Rgb, RgbImage};

use super::colour::{lab_of, linear_values, rgb};
use super::photo::MOST_PIXELS;
use super::regions::{Merging, Region};
use crate::error::{Error, Result};
use crate::executor::Device;
use crate::mean_shift::WeightFunction;
use crate::mean_shift::labels::{Columns, scan, tally};

/// How to segment an image. [`run`](Self::run) does it.
///
/// ```
/// use image::{Rgb, RgbImage};
/// use modeseek::segment::Segment;
///
/// let image = RgbImage::from_fn(30, 20, |x, _| if x < 10 { Rgb([0, 0, 200]) } else { Rgb([240, 240, 0]) });
/// let found = Segment::new(4.0, 10.0).minimum_size(5).run(&image)?;
/// assert_eq!(found.regions.iter().map(|region| region.size).collect::<Vec<_>>(), [400, 200]);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until it runs"]
pub struct Segment {
    spatial: f64,
    range: f64,
    weight: WeightFunction,
    tolerance: f64,
    iterations: usize,
    radius: f64,
    smallest: usize,
    device: Option<Device>,
}

/// What there is in an image.
///
/// ```
/// # use image::{Rgb, RgbImage};
/// # use modeseek::segment::Segment;
/// let image = RgbImage::from_fn(30, 20, |x, _| if x < 10 { Rgb([0, 0, 200]) } else { Rgb([240, 240, 0]) });
/// let found = Segment::new(4.0, 10.0).run(&image)?;
/// // The yellow region is the larger one, and so the first.
/// assert_eq!((found.labels[0], found.labels[29]), (1, 0));
/// assert_eq!(found.filtered.dimensions(), image.dimensions());
/// assert_eq!(found.moving, 0);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Segmented {
    /// The image of the colours that pixels came to.
    pub filtered: RgbImage,
    /// The region of each pixel, row by row: an index into `regions`.
    pub labels: Vec<u32>,
    /// The regions, the largest first.
    pub regions: Vec<Region>,
    /// Regions before small ones went to their neighbours.
    pub before_merging: usize,
    /// Iterations of all pixels, added.
    pub iterations: u64,
    /// Pixels that were still moving when there were no more iterations.
    pub moving: usize,
    /// Where the time went.
    pub times: SegmentTimes,
}

/// The time of each part of a segmentation.
///
/// ```
/// # use image::{Rgb, RgbImage};
/// # use modeseek::segment::Segment;
/// let times = Segment::new(4.0, 10.0).run(&RgbImage::from_pixel(8, 8, Rgb([9, 9, 9])))?.times;
/// assert!(times.filter > std::time::Duration::ZERO);
/// # Ok::<(), modeseek::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentTimes {
    /// Colours to Lab, and to the device.
    pub prepare: Duration,
    /// Until every pixel has come to rest.
    pub filter: Duration,
    /// Regions, and the colours of the filtered image.
    pub regions: Duration,
}

impl Segment {
    /// The largest spatial bandwidth: an iteration looks at some 3 times its square pixels, for every pixel.
    pub const MOST_SPATIAL: f64 = 256.0;

    /// A bandwidth in pixels, and one in units of Lab, in which a just visible difference is about 2.
    ///
    /// ```
    /// use modeseek::segment::Segment;
    ///
    /// assert!(Segment::new(8.0, 12.0).check().is_ok());
    /// ```
    pub fn new(spatial: f64, range: f64) -> Self {
        Self {
            spatial,
            range,
            weight: WeightFunction::Flat,
            tolerance: 0.01,
            iterations: 100,
            radius: 0.5,
            smallest: 20,
            device: None,
        }
    }

    /// The weight of a difference in colour: flat, as Comaniciu and Meer have it and unless something else is said, or
    /// Gaussian.
    ///
    /// ```
    /// use modeseek::WeightFunction;
    /// use modeseek::segment::Segment;
    ///
    /// assert!(Segment::new(8.0, 12.0).weight(WeightFunction::Gaussian).check().is_ok());
    /// assert!(Segment::new(8.0, 12.0).weight(WeightFunction::Biweight).check().is_err());
    /// ```
    pub fn weight(self, weight: WeightFunction) -> Self {
        Self { weight, ..self }
    }

    /// A pixel rests when it moves no more than this many bandwidths; 0.01 if nothing is said.
    ///
    /// ```
    /// use modeseek::segment::Segment;
    ///
    /// assert!(Segment::new(8.0, 12.0).tolerance(0.1).check().is_ok());
    /// assert!(Segment::new(8.0, 12.0).tolerance(-0.1).check().is_err());
    /// ```
    pub fn tolerance(self, tolerance: f64) -> Self {
        Self { tolerance, ..self }
    }

    /// The most iterations of a pixel; 100 if nothing is said.
    ///
    /// ```
    /// # use image::{Rgb, RgbImage};
    /// use modeseek::segment::Segment;
    ///
    /// # let image = RgbImage::from_fn(16, 8, |x, _| Rgb([(x * 10) as u8; 3]));
    /// // On a slope of grey no pixel is at rest after one step.
    /// let found = Segment::new(4.0, 12.0).max_iterations(1).run(&image)?;
    /// assert!(found.moving > 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn max_iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// How far neighbours' filtered colours may be apart in one region, in range bandwidths; 0.5 if nothing is said.
    ///
    /// ```
    /// # use image::{Rgb, RgbImage};
    /// use modeseek::segment::Segment;
    ///
    /// # let image = RgbImage::from_fn(20, 10, |x, _| if x < 10 { Rgb([60; 3]) } else { Rgb([110; 3]) });
    /// let segment = Segment::new(3.0, 10.0);
    /// assert_eq!(segment.clone().run(&image)?.regions.len(), 2);
    /// // Some 20 units of lightness are apart, which is two range bandwidths.
    /// assert_eq!(segment.merge_radius(3.0).run(&image)?.regions.len(), 1);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn merge_radius(self, radius: f64) -> Self {
        Self { radius, ..self }
    }

    /// The fewest pixels of a region, if it has a neighbour to go to; 20 if nothing is said.
    ///
    /// ```
    /// # use image::{Rgb, RgbImage};
    /// use modeseek::segment::Segment;
    ///
    /// # let image = RgbImage::from_fn(20, 10, |x, y| if x < 2 && y < 2 { Rgb([0; 3]) } else { Rgb([200; 3]) });
    /// // Four dark pixels in a corner.
    /// assert_eq!(Segment::new(3.0, 10.0).minimum_size(4).run(&image)?.regions.len(), 2);
    /// assert_eq!(Segment::new(3.0, 10.0).minimum_size(5).run(&image)?.regions.len(), 1);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn minimum_size(self, smallest: usize) -> Self {
        Self { smallest, ..self }
    }

    /// The device. If not said: a GPU if there is one that works, else the processor; each run then opens one.
    ///
    /// ```
    /// use image::{Rgb, RgbImage};
    /// use modeseek::Device;
    /// use modeseek::segment::Segment;
    ///
    /// let device = Device::processor()?;
    /// Segment::new(3.0, 10.0).on(&device).run(&RgbImage::from_pixel(8, 8, Rgb([9, 9, 9])))?;
    /// assert!(device.counts().launches > 0);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn on(self, device: &Device) -> Self {
        Self { device: Some(device.clone()), ..self }
    }

    /// Checks what can be seen to be senseless before anything is done.
    ///
    /// ```
    /// use modeseek::segment::Segment;
    ///
    /// let error = Segment::new(1000.0, 12.0).check().unwrap_err();
    /// assert!(error.to_string().contains("from 1 to 256 pixels"), "{error}");
    /// ```
    ///
    /// # Errors
    /// [`Error::Option`], [`Error::Conflict`].
    pub fn check(&self) -> Result<()> {
        let number = |option, value: f64, range: std::ops::RangeInclusive<f64>, must| {
            if range.contains(&value) { Ok(()) } else { Err(Error::Option { option, value: value.to_string(), must }) }
        };
        number("the spatial radius", self.spatial, 1.0..=Self::MOST_SPATIAL, "from 1 to 256 pixels")?;
        number("the range of colours", self.range, 0.1..=1000.0, "from 0.1 to 1000 units of Lab")?;
        number("the tolerance", self.tolerance, 0.0..=1.0, "from 0 to 1 bandwidths")?;
        number("the merging radius", self.radius, 0.0..=100.0, "from 0 to 100 bandwidths")?;
        if !(1..=10_000).contains(&self.iterations) {
            let value = self.iterations.to_string();
            return Err(Error::Option { option: "the number of iterations", value, must: "from 1 to 10000" });
        }
        if !matches!(self.weight, WeightFunction::Flat | WeightFunction::Gaussian) {
            return Err(Error::Conflict { what: "this weight of colours", why: "it is flat or gaussian" });
        }
        Ok(())
    }

    /// Filters and segments an image.
    ///
    /// ```
    /// use image::{Rgb, RgbImage};
    /// use modeseek::segment::Segment;
    ///
    /// let image = RgbImage::from_fn(30, 20, |x, _| if x < 15 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    /// assert_eq!(Segment::new(4.0, 10.0).run(&image)?.regions.len(), 2);
    /// assert!(Segment::new(4.0, 10.0).run(&RgbImage::new(0, 0)).is_err());
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`check`](Self::check); an image without pixels, or with more than [`MOST_PIXELS`]; too little memory;
    /// whatever the device reports.
    ///
    /// # Precision
    /// Positions and colours are f32; the flat weight jumps, so that a pixel whose neighbour's colour is at the bandwidth to
    /// the last bit may go another way on another device. On one device results are the same to the bit for any number of
    /// threads.
    pub fn run(&self, image: &RgbImage) -> Result<Segmented> {
        self.check()?;
        let (width, height) = image.dimensions();
        let n = u64::from(width) * u64::from(height);
        if n == 0 {
            let (option, must) = ("the number of pixels", "at least 1");
            return Err(Error::Option { option, value: n.to_string(), must });
        }
        if n > MOST_PIXELS {
            return Err(Error::TooMany { what: "a number of pixels", count: n as usize, most: MOST_PIXELS as usize });
        }
        let device = Device::or_auto(self.device.as_ref())?;
        self.run_on(&device, image, n as usize)
    }

    fn run_on(&self, device: &Device, image: &RgbImage, n: usize) -> Result<Segmented> {
        let (width, height) = image.dimensions();
        let plane = (n + PAD).next_multiple_of(STRIDE);
        // Colours before and after; iterations; parents, leaders, roots, flags and numbers of regions; and what adding
        // up the regions takes, which may be as many as pixels.
        let needed = (6 * plane + 16 * n) as u128 * 4;
        device.reserve(needed, &format!("an image of {width} x {height} pixels"), "use a smaller image")?;

        let start = Instant::now();
        let scale = self.weight.steps().scale;
        let colours = device.upload(&self.planes(image, plane, scale))?;
        let prepare = start.elapsed();

        let start = Instant::now();
        let mut filtered = device.zeros(3 * plane)?;
        let mut iterations = device.zeros(n)?;
        let (radius, limit) = (self.spatial as f32, self.iterations as u32);
        let space = (scale / self.spatial).powi(2) as f32;
        let tolerance = (self.tolerance * scale).powi(2) as f32;
        let (out, counts, plane32) = (&mut filtered, &mut iterations, plane as u32);
        device.launch(match self.weight {
            WeightFunction::Gaussian => {
                filter_gaussian::launch(&colours, out, counts, width, height, plane32, radius, space, limit, tolerance)
            }
            _ => filter_flat::launch(&colours, out, counts, width, height, plane32, radius, space, limit, tolerance),
        })?;
        device.synchronize()?;
        let filter = start.elapsed();

        let start = Instant::now();
        let own = device.upload(&(0..n as u32).collect::<Vec<_>>())?;
        let mut parents = device.upload(&(0..n as u32).collect::<Vec<_>>())?;
        let limit2 = (self.radius * scale).powi(2) as f32;
        device.launch(unite_pixels::launch(&filtered, &mut parents, width, height, plane32, limit2))?;
        let (mut roots, mut flags) = (device.zeros(n)?, device.zeros(n)?);
        device.launch(component_roots::launch(&own, &mut parents, &mut roots, &mut flags, n as u32))?;
        let total = scan(device, &mut flags)?;
        // Who its own leader was is not needed any more.
        let mut ids = own;
        device.launch(component_numbers::launch(&roots, &flags, &mut ids, n as u32))?;
        let before_merging = device.download(&total)?[0] as usize;
        let groups = tally(device, &ids, before_merging, Columns { values: &filtered, n, d: 3, stride: plane }, None)?;
        let unscaled = self.range / scale;
        let lab = |colour: [f32; 3]| colour.map(|value| (f64::from(value) * unscaled) as f32);
        let regions = device
            .download(&groups.sizes)?
            .into_iter()
            .zip(device.download(&groups.means)?.chunks_exact(3))
            .map(|(size, mean)| Region { size, lab: lab([mean[0], mean[1], mean[2]]) })
            .collect();
        let mut labels = device.download(&ids)?;
        let mut merging = Merging::new(regions, &labels, width as usize);
        merging.merge_small(u32::try_from(self.smallest).unwrap_or(u32::MAX));
        let (regions, number_of) = merging.finish();
        for label in &mut labels {
            *label = number_of[*label as usize];
        }
        let colours = device.download(&filtered)?;
        let filtered = RgbImage::from_fn(width, height, |x, y| {
            let i = y as usize * width as usize + x as usize;
            Rgb(rgb(lab([colours[i], colours[plane + i], colours[2 * plane + i]])))
        });
        let counts = device.download(&iterations)?;
        Ok(Segmented {
            filtered,
            labels,
            regions,
            before_merging,
            iterations: counts.iter().map(|&count| u64::from(count & !MOVING)).sum(),
            moving: counts.iter().filter(|&&count| count & MOVING != 0).count(),
            times: SegmentTimes { prepare, filter, regions: start.elapsed() },
        })
    }

    /// The image's colours in Lab, scaled, as three planes.
    fn planes(&self, image: &RgbImage, plane: usize, scale: f64) -> Vec<f32> {
        let factor = (scale / self.range) as f32;
        let linear = linear_values();
        let mut planes = vec![0.0; 3 * plane];
        for (i, pixel) in image.pixels().enumerate() {
            for (c, value) in lab_of(pixel.0, &linear).into_iter().enumerate() {
                planes[c * plane + i] = value * factor;
            }
        }
        planes
    }
}

impl Segmented {
    /// The image with each region in its mean colour.
    ///
    /// ```
    /// # use image::{Rgb, RgbImage};
    /// # use modeseek::segment::Segment;
    /// let image = RgbImage::from_fn(30, 20, |x, _| if x < 15 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    /// // Where a region has one colour, that is its mean.
    /// assert_eq!(Segment::new(4.0, 10.0).run(&image)?.segments(), image);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn segments(&self) -> RgbImage {
        let colours: Vec<[u8; 3]> = self.regions.iter().map(|region| rgb(region.lab)).collect();
        let (width, height) = self.filtered.dimensions();
        RgbImage::from_fn(width, height, |x, y| Rgb(colours[self.label(x, y) as usize]))
    }

    /// An image of the same size with the borders between regions drawn into it, in magenta.
    ///
    /// ```
    /// # use image::{Rgb, RgbImage};
    /// # use modeseek::segment::Segment;
    /// let image = RgbImage::from_fn(30, 20, |x, _| if x < 15 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    /// let drawn = Segment::new(4.0, 10.0).run(&image)?.borders(&image);
    /// // The border is drawn between the halves, and nothing else.
    /// assert_eq!(drawn.get_pixel(0, 0), image.get_pixel(0, 0));
    /// assert_ne!(drawn, image);
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    ///
    /// # Panics
    /// If it has another size.
    pub fn borders(&self, image: &RgbImage) -> RgbImage {
        assert_eq!(image.dimensions(), self.filtered.dimensions(), "the image that was segmented");
        let (width, height) = image.dimensions();
        RgbImage::from_fn(width, height, |x, y| {
            let label = self.label(x, y);
            let right = x + 1 < width && self.label(x + 1, y) != label;
            let below = y + 1 < height && self.label(x, y + 1) != label;
            if right || below { Rgb([255, 0, 255]) } else { *image.get_pixel(x, y) }
        })
    }

    /// The region of a pixel.
    fn label(&self, x: u32, y: u32) -> u32 {
        self.labels[y as usize * self.filtered.width() as usize + x as usize]
    }
}
