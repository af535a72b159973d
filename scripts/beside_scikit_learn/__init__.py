"""modeseek and scikit-learn's MeanShift, on the same points in the same run, one after the other."""
