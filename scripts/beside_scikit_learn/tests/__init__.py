"""Tests of beside-scikit-learn, on stand-ins for both sides: they run in seconds, without scikit-learn."""
