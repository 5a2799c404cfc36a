package shard

import (
	"time"

	"ssedge/proto/eventid"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// Join is a connection on its way into a shard. With it go the descriptor, which the shard closes
// from then on, and one hold on each topic (Table.Acquire), which the shard releases.
type Join struct {
	Fd    int
	Head  []byte         // the response head, sent first; not to be changed any more
	Early *EarlyEnds     // the answers if it ends before Head was sent; nil: there are none
	Wire  Wire           // as Head says
	Poll  *Poll          // with WireAnswer
	Topic *topic.Topic   // of a stream with one topic
	More  []*topic.Topic // all topics, each once, by name, of a stream with several; else nil

	Resume    log.Resume
	Position  eventid.Position   // with log.ResumeAt, one topic
	Positions []eventid.Position // with log.ResumeAt, several: one for each of More
	Newest    int                // with log.ResumeNewest: events of each topic

	Owner uint32 // given back to Config.OnClose
	// stands for the client's address: no client has more than its share of an upstream's readings;
	// 0: it is not known
	Client uint64

	greeting greeting
	headSent bool // the response head was sent: the stream had to wait …
	opened   bool // … and so was the opening
	pinned   bool // its positions are times that this node gave it when it had to wait
}

// Poll is what a stream that ends with its first answer is asked for beside its topics.
type Poll struct {
	Form *AnswerForm
	Wait time.Duration // how long it waits for an event; 0: it is answered at once
	// the connection goes back after the answer (Config.OnDone), and Note with it
	Kept bool
	Note any
}

// AnswerForm is what the answers to many polls have in common. There are few. It must not be
// changed any more.
type AnswerForm struct {
	Head  []byte     // status line and fields; the shard adds those that depend on the answer
	JSON  bool       // the body is an array; otherwise what an EventSource would be sent
	Early *EarlyEnds // the answers to polls that end otherwise; nil: there are none
}

// EarlyEnds has whole answers, by the reason for which a stream ended before it was sent its head.
// nil is no answer. It may be shared between joins, and must not be changed any more.
type EarlyEnds [closeReasons][]byte

// releaseTopics undoes the holds of a join that came to nothing.
func (s *Shard) releaseTopics(j *Join) {
	for _, t := range j.topics() {
		s.table.Release(t)
	}
}

func (s *Shard) policy(topic string) Policy {
	if s.config.Policy == nil {
		return PolicyGap
	}
	return s.config.Policy(topic)
}

// topics returns the topics of a join.
func (j *Join) topics() []*topic.Topic {
	if j.More != nil {
		return j.More
	}
	return []*topic.Topic{j.Topic}
}

// locate is where the stream begins in a topic in which its client stands at a position.
func (j *Join) locate(t *topic.Topic, at eventid.Position) log.Place {
	if j.Resume == log.ResumeNewest {
		return t.LocateNewest(j.Newest)
	}
	return t.Locate(j.Resume, at, j.pinned)
}

// doubts reports whether only the topic's upstream can say that, and has not answered since ask.
func (j *Join) doubts(t *topic.Topic, at eventid.Position, ask uint64) bool {
	if j.Resume == log.ResumeNewest {
		return t.DoubtsNewest(j.Newest, ask)
	}
	return t.Doubts(j.Resume, at, ask)
}

// position is the client's position in topic k.
func (j *Join) position(k int) eventid.Position {
	if j.More != nil && j.Resume == log.ResumeAt {
		return j.Positions[k]
	}
	return j.Position
}

// setPosition notes what the client has been sent of topic k.
func (j *Join) setPosition(k int, at eventid.Position) {
	if j.More != nil {
		j.Positions[k] = at
	} else {
		j.Position = at
	}
}
