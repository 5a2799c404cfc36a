package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"ssedge/proto/rule"
)

// proofs are the topics that the probes of a node publish to. Their names begin with $: clients can
// neither follow them nor publish to them.
type proofs struct {
	mu   sync.Mutex
	name string // the topic that is used now
	next int    // the number of the one after it
}

// probeKept is for how many probes the stream of such a topic is kept.
const probeKept = 10

// prove publishes as publishers do, at this master.
func (n *node) prove(ctx context.Context) error {
	table := n.source.slots.Load()
	return n.publishTo(ctx, &n.proofs, func(slot uint16) bool {
		return table == nil || table.owner(slot) == n
	})
}

// publishTo publishes to a topic whose slot is owned. If a foreign key has its name, another topic
// is used next time.
func (n *node) publishTo(ctx context.Context, p *proofs, owns func(slot uint16) bool) error {
	s := n.source
	topic, ok := p.topic(s, owns)
	if !ok {
		return nil // no topic is this master's
	}
	key := s.names.key(topic)
	once := strconv.FormatInt(nanotime(), 36) // publishers may send an idempotency key
	answer, err := s.proof.Exec(ctx, s.client, []string{key}, []string{"", "", once}).AsStrSlice()
	if err == nil {
		if err = s.client.Do(ctx, s.client.B().Xrange().Key(key).Start("-").End("+").Count(1).
			Build()).Error(); err != nil {
			err = fmt.Errorf("histories cannot be read: %w", err)
		}
	}
	switch {
	case err != nil && errorKind(err) == "wrongtype":
		p.drop(topic)
	case len(answer) > 2:
		s.notAllWritten(topic, answer[2])
	}
	return err
}

// topic is the one to publish to.
func (p *proofs) topic(s *Source, owns func(slot uint16) bool) (name string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name != "" && owns(slotOf(s.names.key(p.name))) {
		return p.name, true
	}
	ok = s.nextProof(p, owns)
	return p.name, ok
}

// drop gives up a topic.
func (p *proofs) drop(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name == topic {
		p.name = ""
	}
}

// nextProof finds another topic.
func (s *Source) nextProof(p *proofs, owns func(slot uint16) bool) bool {
	if s.config.FanIn == ByPartition && !s.ownsPartition(owns) {
		return false
	}
	_, instance, _ := strings.Cut(s.instance, s.config.Edge+":")
	for range 1 << 20 {
		p.name = string(rule.OwnTopic) + "probe:" + instance + ":" + strconv.Itoa(p.next)
		p.next++
		if owns(slotOf(s.names.key(p.name))) {
			return true
		}
	}
	p.name = ""
	return false
}

// ownsPartition reports whether the streams of any partition are there.
func (s *Source) ownsPartition(owns func(slot uint16) bool) bool {
	for _, tag := range s.names.tags {
		if owns(slotOf("{" + tag + "}")) {
			return true
		}
	}
	return false
}

// ownedBy reports whether a slot is a master's.
func ownedBy(spans []span, master string, slot uint16) bool {
	for _, sp := range spans {
		if sp.master == master && sp.from <= slot && slot <= sp.to {
			return true
		}
	}
	return false
}
