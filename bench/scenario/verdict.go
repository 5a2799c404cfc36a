package scenario

import (
	"maps"
	"slices"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// judge adds what the streams received, held against what was published, and what is wrong with it.
func (x *trial) judge() error {
	if x.away {
		x.r.Note("interrupted before all streams were back: loss was not looked for")
		return nil
	}
	time.Sleep(x.o.Settle) // what comes twice comes late
	v, err := x.crowd.Verify(x.publisher.Published())
	if err != nil {
		return err
	}
	totals, err := x.crowd.Totals()
	if err != nil {
		return err
	}
	x.verdict(v.Normal, totals)
	return nil
}

func (x *trial) verdict(v load.Verdict, totals load.Totals) {
	r := x.r
	r.Add("exact", float64(v.Exact), "", "streams with every event once, in order")
	r.Add("lost", float64(v.Lost), "", "events missing in silence")
	r.Add("told", float64(v.MissedTold), "", "events missing on streams that were told of a gap")
	r.Add("cut", float64(v.MissedCut), "", "events missing on streams that the server ended")
	r.Add("duplicates", float64(totals.Duplicates), "", "events that came again")
	r.Add("disorder", float64(totals.Late+totals.Unsorted), "", "events behind a later one, and ids that do not rise")
	r.Add("misdelivered", float64(totals.Misdelivered), "", "events of other topics")
	r.Add("damaged", float64(totals.Damaged), "", "lines that belong to no event")
	r.Add("ended", float64(totals.Ended), "", "streams that the server ended")
	if v.Whole() && totals.Ended == 0 {
		return
	}
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Short, "streams lost events in silence"}, {v.Over, "streams got more than was published"}, {v.Duplicate, "streams got events twice"},
		{v.Late, "streams got events out of order"}, {v.Unsorted, "streams got ids that do not rise"},
		{v.Misdelivered, "streams got events of other topics"}, {v.Damaged, "streams got damaged lines"}, {v.Ended, "streams were ended by the server"},
	} {
		if f.n > 0 {
			r.Fault("%d of %d %s", f.n, v.Streams, f.what)
		}
	}
	if v.Told > 0 && !x.o.AllowGaps {
		r.Fault("%d of %d streams missed events, and were told (--allow-gaps accepts that)", v.Told, v.Streams)
	}
}

// booked adds what publishing came to.
func (x *trial) booked(p publish.Report) {
	x.r.Add("published", float64(p.Acknowledged), "", "events acknowledged")
	x.r.Add("published_rate", float64(p.Acknowledged)/p.Took.Seconds(), result.PerSecond, "")
	x.r.Add("refused", float64(p.Refused), "", "events that the server did not take")
	x.r.Add("unsure", float64(p.Unsure), "", "events whose answer never came")
	x.r.Add("late_p99", millis(p.Late, 99), result.Milliseconds, "from when an event was due to when it was written")
	x.r.Add("answer_p99", millis(p.Answer, 99), result.Milliseconds, "from then to its answer")
	for _, cause := range slices.Sorted(maps.Keys(p.Causes)) {
		x.r.Note("not acknowledged: %d events: %s", p.Causes[cause], cause)
	}
}
