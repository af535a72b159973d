//! A sweep as a picture.

use super::{Found, SAME, Sweep};
use crate::picture::{Anchor, Curve, Drawing, Look, Rect, numbers, plot_as};

impl Sweep {
    /// The number of clusters and the stability over the bandwidth, by factor as bandwidths and stretches are, and the
    /// suggested one; counts above a few times those that are stable are cut at the frame, which says up to how many there
    /// are.
    ///
    /// ```
    /// # use modeseek::sweep::{Sweep, bandwidths};
    /// # use modeseek::{Device, MeanShift, Points};
    /// # let device = Device::processor()?;
    /// # let points = Points::from_rows(&[0.0, 0.1, 0.2, 5.0, 5.1, 5.2], 1)?;
    /// let sweep = Sweep::new(&device, &points, &MeanShift::new(), &bandwidths(0.5, 1.0, 3)?, |_| Ok(()))?;
    /// assert!(sweep.picture().to_svg().contains("bandwidth"));
    /// # Ok::<(), modeseek::Error>(())
    /// ```
    pub fn picture(&self) -> Drawing {
        let most = self.found.iter().filter(|found| found.stability >= SAME).map(|found| found.clusters).max();
        let most = 3 * most.unwrap_or(10).clamp(4, 1000);
        let curve = |name: &str, value: &dyn Fn(&Found) -> f64| Curve {
            name: name.to_owned(),
            through: self.found.iter().map(|found| [found.bandwidth, value(found)]).collect(),
        };
        let clusters = curve("clusters", &|found| found.clusters as f64);
        let stability = curve("agreement", &|found| found.stability);
        let mut drawing = Drawing::new(900, 640);
        let title = match self.suggested {
            Some(bandwidth) => {
                format!("Clusters and stability; suggested bandwidth {}", numbers::rounded(bandwidth, 4))
            }
            None => "Clusters and stability; no bandwidth is stable".to_owned(),
        };
        drawing.write((78.0, 28.0), title, 16.0, Anchor::Start);
        let look = Look {
            from_to: Some((self.found[0].bandwidth, self.found[self.found.len() - 1].bandwidth)),
            by_factor: true,
            highest: Some(most as f64),
            marked: self.suggested.map(|bandwidth| (bandwidth, "suggested")),
        };
        let area = |y: f64| Rect { x: 78.0, y, width: 640.0, height: 220.0 };
        plot_as(&mut drawing, ["bandwidth", "clusters"], &[clusters], area(48.0), &look);
        let names = ["bandwidth", "agreement with neighbours"];
        plot_as(&mut drawing, names, &[stability], area(352.0), &look);
        drawing
    }
}
