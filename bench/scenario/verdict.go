package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ssedge/bench/load"
	"ssedge/bench/publish"
	"ssedge/bench/result"
)

// judge adds what the streams received, compared with what was published, and the faults found.
func (x *trial) judge() error {
	if x.away {
		x.r.Fault("interrupted before everything had arrived: loss was not looked for")
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
	if v.Expected == 0 { // nothing was published, and nothing is shown
		x.unexpected(totals)
		return
	}
	x.shown = true
	r.Add("exact", float64(v.Exact), "", "streams with every event once, in order")
	r.Add("lost", float64(v.Lost), "", "events missing in silence")
	r.Add("told", float64(v.MissedTold), "", "events missing on streams that were told of a gap")
	r.Add("cut", float64(v.MissedCut), "", "events missing on streams that the server ended")
	r.Add("duplicates", float64(totals.Duplicates), "", "events that came again")
	r.Add("disorder", float64(totals.Late+totals.Unsorted), "",
		"events behind a later one, and ids that do not rise")
	r.Add("misdelivered", float64(totals.Misdelivered), "", "events of other topics")
	r.Add("damaged", float64(totals.Damaged), "", "lines that belong to no event")
	r.Add("ended", float64(totals.Ended), "", "streams that the server ended")
	if v.Whole() && totals.Ended == 0 {
		return
	}
	if totals.Others > 0 && v.Lost > 0 {
		r.Note("%d events came without a mark: the server's own, or damaged", totals.Others)
	}
	if totals.Stale > 0 && v.Lost > 0 {
		r.Note("%d events were of an earlier run, or due before this one began", totals.Stale)
	}
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Short, "streams lost events in silence"},
		{v.Over, "streams got more than was published"}, {v.Duplicate, "streams got events twice"},
		{v.Late, "streams got events out of order"},
		{v.Unsorted, "streams got ids that do not rise"},
		{v.Misdelivered, "streams got events of other topics"},
		{v.Damaged, "streams got damaged lines"}, {v.Ended, "streams were ended by the server"},
	} {
		if f.n > 0 {
			r.Fault("%d of %d %s", f.n, v.Streams, f.what)
		}
	}
	if v.Told > 0 && !x.o.AllowGaps {
		r.Fault("%d of %d streams missed events, and were told (--allow-gaps accepts that)", v.Told,
			v.Streams)
	}
}

// addPublished adds the figures of publishing.
func (x *trial) addPublished(ctx context.Context, p publish.Report) {
	x.r.Add("published", float64(p.Acknowledged), "", "events acknowledged")
	x.r.Add("published_rate", float64(p.Acknowledged)/p.Took.Seconds(), result.PerSecond,
		"events acknowledged, while publishing")
	x.r.Add("refused", float64(p.Refused), "", "events that the server did not take")
	x.r.Add("unsure", float64(p.Unsure+p.InFlight), "", "events whose answer never came")
	x.r.Add("skipped", float64(p.Skipped), "", "events that fell due and were never sent")
	x.r.Add("late_p99", millis(p.Late, 99), result.Milliseconds,
		"from when an event was due to when it was written")
	x.r.Add("answer_p99", millis(p.Answer, 99), result.Milliseconds, "from then to its answer")
	x.checkPublished(ctx, "", p)
}

// checkPublished adds a fault for each event that was not published as it should have been: events
// that the server did not take cannot show a loss. An interrupt excuses what it cut short, but
// neither earlier refusals nor that nothing was published before it.
func (x *trial) checkPublished(ctx context.Context, where string, p publish.Report) {
	for _, cause := range slices.Sorted(maps.Keys(p.Causes)) {
		x.r.Note("not acknowledged: %d events: %s", p.Causes[cause], cause)
	}
	if ctx.Err() == nil {
		p.Unsure += p.InFlight
	} else {
		p.Skipped = 0
	}
	for _, f := range []struct {
		n    uint64
		what string
	}{
		{p.Refused, "events were refused by the server"}, {p.Unsure, "events got no answer"},
		{p.Skipped, "events fell due and were never sent: server or client cannot keep up"},
	} {
		if f.n > 0 {
			x.r.Fault("%s%d %s", where, f.n, f.what)
		}
	}
	if p.Acknowledged+p.Refused+p.Unsure+p.Skipped == 0 {
		x.r.Fault("%snothing was published%s", where,
			map[bool]string{true: " before the interrupt"}[ctx.Err() != nil])
	}
}

// checkAcknowledged fails unless all events of a run were acknowledged: without the first ones the
// run cannot go on.
func checkAcknowledged(ctx context.Context, p publish.Report) error {
	if p.Refused+p.Unsure+p.InFlight == 0 || ctx.Err() != nil {
		return nil
	}
	causes := slices.Sorted(maps.Keys(p.Causes))
	return fmt.Errorf("publishing: %d of the first %d events were not acknowledged: %s",
		p.Refused+p.Unsure+p.InFlight, p.Acknowledged+p.Refused+p.Unsure+p.InFlight, causes[0])
}
