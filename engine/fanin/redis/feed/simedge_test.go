package feed

import (
	"fmt"
	"strings"
)

// What the feed's edge does: its connection to the channel, and its readings.

// arrival is a message; or that the channel is subscribed.
type arrival struct {
	text       string
	subscribed bool
}

// simReading is a reading on its way.
type simReading struct {
	request  Request
	events   []Element
	executed bool
	behind   bool // it was answered by a server that is behind
	at       int  // how much had happened then
}

type simAlarm struct {
	at  int64
	why Alarm
}

func (w *world) connect() {
	w.log("the edge connects")
	w.connected, w.exactly = true, true
	w.arriving = []arrival{{subscribed: true}}
	for _, text := range w.late {
		if w.rng.IntN(2) == 0 {
			w.arriving = append(w.arriving, arrival{text: text})
		}
	}
	w.late = nil
}

func (w *world) disconnect() {
	w.log("the connection is lost")
	w.connected, w.exactly = false, false
	for _, a := range w.arriving {
		if w.losing && !a.subscribed {
			w.late = append(w.late, a.text)
		}
	}
	w.arriving = nil
	w.machine().Away()
	w.see()
}

// send sends a message through the channel.
func (w *world) send(text string) {
	if !w.connected {
		return
	}
	if w.losing {
		switch w.rng.IntN(30) {
		case 0:
			w.log("%q is lost", text)
			w.exactly = false
			return
		case 1:
			w.arriving = append(w.arriving, arrival{text: text})
		case 2:
			w.late = append(w.late, text)
		}
	}
	w.arriving = append(w.arriving, arrival{text: text})
}

// work is one thing that the edge does.
func (w *world) work() {
	switch w.rng.IntN(6) {
	case 0, 1:
		for range 1 + w.rng.IntN(w.flood) {
			w.arrive()
		}
	case 2:
		w.ask()
	case 3:
		w.execute()
	case 4:
		w.answer()
	case 5:
		w.wake()
		if len(w.acks) > 0 {
			w.acks[0]()
			w.acks = w.acks[1:]
		}
	}
	w.see()
}

func (w *world) arrive() {
	if len(w.arriving) == 0 {
		return
	}
	a := w.arriving[0]
	w.arriving = w.arriving[1:]
	if a.subscribed {
		w.log("the channel is subscribed")
		w.machine().Subscribed()
		return
	}
	w.log("%q comes", a.text)
	if w.state != Away {
		w.viewer.expect(a.text)
		var seq int
		if _, data, _ := strings.Cut(a.text, "\n"); strings.HasPrefix(data, "event ") {
			fmt.Sscanf(data, "event %d", &seq)
			w.published[seq].arrived = true
		}
		w.machine().Receive(a.text)
	}
}

// ask asks for what the feed wants to have read.
func (w *world) ask() {
	if w.queued == 0 {
		return
	}
	w.queued--
	r, ok := w.machine().Next()
	if !ok {
		return
	}
	if w.rng.IntN(3) == 0 { // long streams are read in parts
		r.Count = min(r.Count, 1+w.rng.IntN(4))
		if r.What == ReadOlder { // one of them is only looked at
			r.Count++
		}
	}
	w.log("asks for %v from %s to %s", r.What, r.First, r.Last)
	w.readings = append(w.readings, &simReading{request: r})
}

// execute has a reading executed: they are, in their order.
func (w *world) execute() {
	for _, r := range w.readings {
		if r.executed {
			continue
		}
		from := w.server.stream
		if w.lagging && w.rng.IntN(4) == 0 {
			from, r.behind = w.server.behind, true
			w.tally.lags++
		}
		r.events, r.executed, r.at = from.rangeOf(&r.request), true, w.happened
		return
	}
}

func (w *world) answer() {
	if len(w.readings) == 0 || !w.readings[0].executed {
		return
	}
	r := w.readings[0]
	w.readings = w.readings[1:]
	if w.rng.IntN(20) == 0 {
		w.log("a reading fails")
		w.machine().Failed()
		return
	}
	w.log("%d elements are read, behind: %t", len(r.events), r.behind)
	w.exactly = w.exactly && !r.behind
	_, _, placed := w.topic.Span()
	w.machine().Take(r.request, r.events)
	if _, _, now := w.topic.Span(); now && !placed {
		from := r.at
		if r.behind {
			from = w.happened
		}
		w.viewer = newViewer(w, from)
	}
}

// wake wakes the feed if it is time.
func (w *world) wake() {
	for _, why := range w.alarms {
		w.timers = append(w.timers, simAlarm{w.seconds + 10, why})
	}
	w.alarms = nil
	if len(w.timers) > 0 && w.timers[0].at <= w.seconds {
		why := w.timers[0].why
		w.timers = w.timers[1:]
		w.log("wakes")
		w.machine().Wake(why)
	}
}

// rest lets the edge work until nothing is left to do.
func (w *world) rest() {
	for n := 0; ; n++ {
		if n > 50_000 {
			w.fail("the feed does not come to rest: it is %v, %+v", w.state, w.inquiry)
		}
		w.work()
		due := len(w.alarms) > 0 || len(w.timers) > 0 && w.timers[0].at <= w.seconds
		if len(w.arriving)+len(w.readings)+len(w.acks)+w.queued == 0 && !due {
			return
		}
	}
}
