"""What a model is measured against: plain baselines, folds and seeds, paired differences, Markov models."""
