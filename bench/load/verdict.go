package load

import (
	"fmt"
	"strings"
)

// Published says how many events a topic has had: Sure were acknowledged; up to Maybe more may have
// been taken, as their answer was lost. Highest is the last number that was given out, in each
// lane; nil: that is not known.
type Published struct {
	Sure, Maybe uint32
	Highest     []uint32
}

// Verdict compares what streams received with what was published while they were open.
type Verdict struct {
	Streams int `json:"streams"` // that were open
	Exact   int `json:"exact"`   // with every event once, in order, and nothing else
	// with fewer events, and never told of a gap, nor ended by the server
	Short int `json:"short"`
	Told  int `json:"told"` // with fewer, and told of a gap
	Cut   int `json:"cut"`  // with fewer, as the server ended them
	// with more different events than were published, or with a number that never was
	Over         int    `json:"over"`
	Duplicate    int    `json:"duplicate"`
	Late         int    `json:"late"` // with an event behind a later one
	Unsorted     int    `json:"unsorted"`
	Misdelivered int    `json:"misdelivered"`
	Damaged      int    `json:"damaged"`
	Ended        int    `json:"ended"`       // ended by the server, whatever they had
	Lost         uint64 `json:"lost"`        // events missing on the short ones
	MissedTold   uint64 `json:"missed_told"` // on those that were told
	MissedCut    uint64 `json:"missed_cut"`  // on those that were ended
	Expected     uint64 `json:"expected"`    // events that all streams together should have
}

// Add adds up.
func (v *Verdict) Add(w Verdict) {
	v.Streams += w.Streams
	v.Exact += w.Exact
	v.Short += w.Short
	v.Told += w.Told
	v.Cut += w.Cut
	v.Over += w.Over
	v.Duplicate += w.Duplicate
	v.Late += w.Late
	v.Unsorted += w.Unsorted
	v.Misdelivered += w.Misdelivered
	v.Damaged += w.Damaged
	v.Ended += w.Ended
	v.Lost += w.Lost
	v.MissedTold += w.MissedTold
	v.MissedCut += w.MissedCut
	v.Expected += w.Expected
}

// Whole reports whether every stream has every event exactly once and in order.
func (v Verdict) Whole() bool { return v.Exact == v.Streams }

func (v Verdict) String() string {
	if v.Whole() {
		return fmt.Sprintf("%d streams are exact", v.Streams)
	}
	var faults []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Short, "lost events in silence"}, {v.Told, "missed events and were told"},
		{v.Cut, "missed events as the server ended them"},
		{v.Over, "got more than was published"}, {v.Duplicate, "got an event twice"},
		{v.Late, "got an event behind a later one"},
		{v.Unsorted, "got ids that do not rise"}, {v.Misdelivered, "got events of other topics"},
		{v.Damaged, "got damaged lines"},
	} {
		if f.n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return fmt.Sprintf("of %d streams %d are exact, %s", v.Streams, v.Exact,
		strings.Join(faults, ", "))
}

// add judges one stream; lanes are its sequences but for the first.
func (v *Verdict) add(s *stream, lanes []sequence, p Published) {
	if s.history&wasOpen == 0 {
		return
	}
	v.Streams++
	v.Expected += uint64(p.Sure)
	count := func(n *int, is bool) {
		if is {
			*n++
		}
	}
	missing := uint64(p.Sure) - min(uint64(p.Sure), uint64(s.received))
	switch {
	case missing == 0:
	case s.history&toldOfGap != 0:
		v.Told++
		v.MissedTold += missing
	case s.history&endedByServer != 0:
		v.Cut++
		v.MissedCut += missing
	default:
		v.Short++
		v.Lost += missing
	}
	over := s.received > p.Sure+p.Maybe
	for lane, highest := range p.Highest {
		over = over || lane == 0 && s.high > highest || lane > 0 && lanes[lane-1].high > highest
	}
	count(&v.Over, over)
	count(&v.Duplicate, s.history&gotDuplicate != 0)
	count(&v.Late, s.history&gotLate != 0)
	count(&v.Unsorted, s.history&gotUnsorted != 0)
	count(&v.Misdelivered, s.history&gotOthers != 0)
	count(&v.Damaged, s.history&gotDamaged != 0)
	count(&v.Ended, s.history&endedByServer != 0)
	count(&v.Exact, missing == 0 && !over &&
		s.history&(gotDuplicate|gotLate|gotUnsorted|gotOthers|gotDamaged) == 0)
}
