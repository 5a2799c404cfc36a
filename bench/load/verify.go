package load

import (
	"fmt"
	"strings"
)

// Verdict is what the streams of a Client received, held against what was published while they were open.
type Verdict struct {
	Streams  int    `json:"streams"`   // opened
	Expected uint64 `json:"expected"`  // events each should have
	EventMin uint64 `json:"event_min"` // fewest and most events any stream has
	EventMax uint64 `json:"event_max"`
	Exact    int    `json:"exact"`    // streams with just the expected number, in order, undamaged
	Short    int    `json:"short"`    // streams with fewer and no gap event: events were lost in silence
	Gapped   int    `json:"gapped"`   // streams that were told of a gap
	Over     int    `json:"over"`     // streams with more than were published
	Unsorted int    `json:"unsorted"` // streams with an id that was not after the one before
	Damaged  int    `json:"damaged"`  // streams with lines that belong to no event
	Ended    int    `json:"ended"`    // streams the server closed
	Missed   uint64 `json:"missed"`   // events expected and not received, on all streams together
}

// OK reports whether every stream has every event exactly once and in order.
func (v Verdict) OK() bool { return v.Exact == v.Streams && v.Ended == 0 }

// Told is OK, but for streams that were told they missed events.
func (v Verdict) Told() bool {
	return v.Short == 0 && v.Over == 0 && v.Unsorted == 0 && v.Damaged == 0 && v.Ended == 0
}

func (v Verdict) String() string {
	if v.OK() {
		return fmt.Sprintf("exact: %d events on each of %d streams", v.Expected, v.Streams)
	}
	var faults []string
	add := func(n int, what string) {
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(v.Short, "lost events in silence")
	add(v.Gapped, "were told of a gap")
	add(v.Over, "got more than was published")
	add(v.Unsorted, "got ids that do not rise")
	add(v.Damaged, "got damaged lines")
	add(v.Ended, "were closed by the server")
	return fmt.Sprintf("NOT EXACT: of %d streams %s; expected %d events, found %d to %d", v.Streams, strings.Join(faults, ", "),
		v.Expected, v.EventMin, v.EventMax)
}

// Verify holds every stream against the number of events published to its topic since it was opened. Call it when
// nothing is on its way any more.
func (c *Client) Verify(published uint64) Verdict {
	v := Verdict{Expected: published, EventMin: ^uint64(0)}
	for _, l := range c.loops {
		l.do(func() {
			for i := range l.streams {
				v.add(&l.streams[i])
			}
		})
	}
	if v.Streams == 0 {
		v.EventMin = 0
	}
	v.Ended = int(c.Totals().Ended)
	return v
}

func (v *Verdict) add(s *stream) {
	if !s.opened {
		return
	}
	events := uint64(s.events)
	v.Streams++
	v.EventMin = min(v.EventMin, events)
	v.EventMax = max(v.EventMax, events)
	if events < v.Expected {
		v.Missed += v.Expected - events
	}
	switch {
	case s.gaps > 0:
		v.Gapped++
	case events < v.Expected:
		v.Short++
	}
	if events > v.Expected {
		v.Over++
	}
	if s.unsorted > 0 {
		v.Unsorted++
	}
	if s.damaged > 0 {
		v.Damaged++
	}
	if s.gaps == 0 && events == v.Expected && s.unsorted == 0 && s.damaged == 0 {
		v.Exact++
	}
}
