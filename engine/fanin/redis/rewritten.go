package redis

import (
	"math"
	"slices"

	"ssedge/proto/envelope"
	"ssedge/proto/eventid"
)

// The servers may have another history than the log: a replica without the newest events was
// promoted, an older copy restored, a stream deleted, a clock set back. So what follows the log's
// newest event is told by its predecessor, never by its id alone.

// readNewestHere takes the newest event of the stream that is not after the log's newest one. If that
// is another one, and the log has it, the history was rewritten behind it. If there is none, what the
// log has was let go at the servers.
func (f *feed) readNewestHere(events []element) {
	f.verifying = false
	_, last, _ := f.topic.Span()
	switch {
	case len(events) == 0:
	case events[0].ID == last:
		f.same = true
	case f.topic.Has(events[0].ID):
		f.fork(events[0].ID)
	default:
		f.compare()
	}
}

// compare has the stream's last events held against the log.
func (f *feed) compare() {
	f.comparing, f.verifying, f.same, f.forward, f.apart, f.apartSize = true, false, false, false, nil, 0
}

// compares reports whether the log is being held against the stream's last events.
func (f *feed) compares() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.todo != nil && f.comparing
}

// readNewest holds the last events of the stream, newest first, against the log, and then those before them: where they
// part, the servers have forgotten what the log has, and what they have instead follows. If that is more than a log could
// have, or nothing of the log is in the stream any more, those follow that cannot have been here before, behind a gap.
func (f *feed) readNewest(events []element, asked int) {
	lost, last, _ := f.topic.Span()
	common := slices.IndexFunc(events, func(m element) bool { return m.ID == lost || f.topic.Has(m.ID) })
	all := len(events) < asked
	if common >= 0 {
		f.apart = append(f.apart, events[:common]...)
	} else {
		f.apart = append(f.apart, events...)
		for i := range events {
			f.apartSize += events[i].size()
		}
	}
	apart := f.apart
	oldest := len(apart) - 1
	untold := false // what lies between the log and the oldest of them
	switch {
	case common >= 0:
		if at := events[common].ID; len(apart) > 0 && at != last {
			f.fork(at)
		}
	case oldest < 0:
	case apart[oldest].Prev == last:
	case apart[oldest].Prev == lost || f.topic.Has(apart[oldest].Prev):
		f.fork(apart[oldest].Prev)
	case all && f.beganAnew(apart, last):
		f.source.counts.forks.Add(1)
		f.topic.BeginAnew(rightBefore(&apart[oldest].Message), !f.source.mayHaveExpired(last, f.since))
	case !all && int64(f.apartSize) < f.source.config.HistoryBytes: // go on reading
		return
	default:
		untold = true
		f.source.counts.forks.Add(1)
		if n := slices.IndexFunc(apart, f.mayHaveHad); n >= 0 { // what of these came already cannot be told
			f.source.counts.gaps.Add(1)
			f.topic.Skip(eventid.ID{}, apart[n].ID)
			apart, untold = apart[:n], false
		}
	}
	f.tellAckedApart()
	f.comparing, f.apart, f.apartSize = false, nil, 0
	for n, m := range slices.Backward(apart) {
		_, last, _ := f.topic.Span()
		switch first := n == len(apart)-1; {
		case m.bad:
			f.source.counts.gaps.Add(1)
			f.topic.Skip(last, m.ID)
		case m.Prev == last, first && !untold && begins(&m.Message):
			f.add(&m.Message)
		case first:
			f.source.counts.gaps.Add(1)
			f.beginAt(&m.Message, eventid.ID{})
		default:
			f.source.counts.gaps.Add(1)
			f.beginAt(&m.Message, last)
		}
	}
}

// beganAnew reports whether these, newest first and all that the stream has, are of one that began anew
// behind last, and nothing was missed: its first event came through a channel that was subscribed all the time.
func (f *feed) beganAnew(events []element, last eventid.ID) bool {
	first := &events[len(events)-1]
	return !first.bad && begins(&first.Message) && !slices.ContainsFunc(events, f.mayHaveHad) &&
		(f.source.mayHaveExpired(last, f.since) || f.intact && !f.spilt && f.came(*first))
}

// mayHaveHad reports whether an event of the stream may have been in the log before. One that came
// through the channel since the doubt began was not.
func (f *feed) mayHaveHad(m element) bool { return f.topic.MayHaveHad(m.ID) && !f.came(m) }

// came reports whether an event is among what came through the channel since the doubt began.
func (f *feed) came(m element) bool {
	return slices.ContainsFunc(f.held, func(text string) bool {
		held, err := envelope.Parse(bytesOf(text))
		return err == nil && held.ID == m.ID
	})
}

// begins reports whether an event is the first that its stream ever had. The server gives that one
// the number 0 in its millisecond; one with a higher number and without a predecessor has lost it.
func begins(m *envelope.Message) bool { return m.Prev.IsZero() && m.ID.Seq == 0 }

// rightBefore is an id between an event and what was there before it, if that is not known.
func rightBefore(m *envelope.Message) eventid.ID {
	if begins(m) {
		return eventid.Before(eventid.At(m.ID.MS)) // a time at which there was no stream
	}
	return below(m.ID)
}

// below is an id right below another one, and no time.
func below(id eventid.ID) eventid.ID {
	if id.Seq == 0 {
		return eventid.ID{MS: id.MS - 1, Seq: math.MaxUint64 - 1}
	}
	return eventid.ID{MS: id.MS, Seq: id.Seq - 1}
}
