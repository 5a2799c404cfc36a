package fanin

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The topics that are found are those that sorting all of them finds, whatever the order in which
// they come.
func TestTopIsTheHeadOfAll(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, count := range []int{0, 1, 9, 10, 11, 1000} {
		var all []TopicCount
		for i := range count {
			all = append(all,
				TopicCount{Topic: fmt.Sprint("t", i), Subscribers: 1 + random.IntN(20)})
		}
		random.Shuffle(count, func(i, j int) { all[i], all[j] = all[j], all[i] })
		top := Top{Limit: 10}
		for _, c := range all {
			top.Add(c.Topic, c.Subscribers)
		}
		var want []string
		for _, c := range Sorted(all, 10) {
			want = append(want, c.Topic)
		}
		got := top.Names()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("of %d: %v, expected %v", count, got, want)
		}
	}
}
