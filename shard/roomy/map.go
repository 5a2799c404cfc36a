// Package roomy has maps that give back the memory of the most that was ever in them: a storm of
// topics or streams that is over would hold it for ever.
package roomy

// Kept is up to how many elements a map may have had without being made anew.
const Kept = 1024

// Shrunk returns m or, if it has had far more in it than it has now, a smaller copy. peak is the
// most it has had, and is kept by the caller. A copy costs each element at most once for each three
// that were removed.
func Shrunk[K comparable, V any](m map[K]V, peak *int) map[K]V {
	if *peak <= Kept || len(m) > *peak/4 {
		return m
	}
	small := make(map[K]V, len(m))
	for k, v := range m {
		small[k] = v
	}
	*peak = len(m)
	return small
}
