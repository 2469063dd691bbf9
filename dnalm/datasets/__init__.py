"""Labelled data: the catalogue of public files, the recipes that make datasets, splits and their audit."""

from dnalm.datasets.dataset import Dataset

__all__ = ["Dataset"]
