package shard

import "ssedge/proto/eventid"

// sub is one topic of a stream with several.
type sub struct {
	cursor uint64
	last   eventid.Position
	state  uint32
	at     uint32 // place among the state's subscribers
}

// bundle is the topics of a stream with several, in the order of Join.More: that of
// the positions in its ids.
type bundle struct {
	check uint32
	next  uint32 // of subs: whose turn it is to be caught up with
	subs  []sub
}

func (b *bundle) appendID(dst []byte) []byte {
	dst = append(dst, "id: "...)
	dst = eventid.AppendVectorHeader(dst, b.check)
	for i := range b.subs {
		dst = eventid.AppendVectorPosition(dst, b.subs[i].last)
	}
	return append(dst, "\n\n"...)
}

// subOf returns the bundle's subscription to the topic with that state.
func (b *bundle) subOf(stateIndex uint32) *sub {
	for k := range b.subs {
		if b.subs[k].state == stateIndex {
			return &b.subs[k]
		}
	}
	panic("shard: a slot stands among the subscribers of a topic that it does not have")
}

// nextSub returns the subscription whose turn it is to be caught up with.
func (b *bundle) nextSub() *sub {
	sub := &b.subs[b.next]
	if b.next++; int(b.next) == len(b.subs) {
		b.next = 0
	}
	return sub
}

func (s *Shard) addBundle(b *bundle) uint32 {
	if n := len(s.freeBundles); n > 0 {
		i := s.freeBundles[n-1]
		s.freeBundles = s.freeBundles[:n-1]
		s.bundles[i] = b
		return i
	}
	s.bundles = append(s.bundles, b)
	return uint32(len(s.bundles) - 1)
}
