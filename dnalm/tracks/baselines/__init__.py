"""Plain ways to find the starts of promoters in a genome, for scanning models to be measured against.

Each learns from the known sites of training regions alone and scores every base of both strands:

- `BoxModel`, a position weight matrix of the -35 and -10 boxes with what lies between them and the start;
- `GcDip`, how rich in A and T the bases upstream are beside their surroundings;
- `GeneDistance`, how far downstream the next gene starts: it reads the annotation and no sequence at all;
- `SumOf`, the sum of several, such as boxes and gene distance.
"""

from dnalm.tracks.baselines.boxes import BoxModel
from dnalm.tracks.baselines.common import Baseline, SumOf, baseline_track, fit_baselines
from dnalm.tracks.baselines.gc_dip import GcDip
from dnalm.tracks.baselines.genes import GeneDistance

__all__ = ["Baseline", "BoxModel", "GcDip", "GeneDistance", "SumOf", "baseline_track", "fit_baselines"]
