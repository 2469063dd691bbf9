"""Why a sequence was called: what each base adds, what each change would do, which motifs, what lies near it."""
