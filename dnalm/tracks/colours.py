"""The colours of tracks, in one place: the files that dnalm draws and the dashboard's charts share them.

They can be told apart with any kind of colour vision, and strands and kinds of mark differ in place or shape
too.
"""

FORWARD = "#0072B2"
REVERSE = "#8C5BB5"
KNOWN = "#D7263D"
GENE = "#66737F"
THRESHOLD = "#6B7280"
STRANDS = {"+": FORWARD, "-": REVERSE}
