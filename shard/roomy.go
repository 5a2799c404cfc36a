package shard

// A map keeps the memory of the most that was ever in it. A storm of topics or streams that is over would hold it for ever.

// keptMax is up to how many elements a map may have had without being made anew.
const keptMax = 1024

// shrunkMap returns m or, if it has had far more in it than it has now, a smaller copy. peak is the most it has had, and is kept by the
// caller. A copy costs each element at most once for each three that were removed.
func shrunkMap[K comparable, V any](m map[K]V, peak *int) map[K]V {
	if *peak <= keptMax || len(m) > *peak/4 {
		return m
	}
	small := make(map[K]V, len(m))
	for k, v := range m {
		small[k] = v
	}
	*peak = len(m)
	return small
}
