package redis

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

// look sends a message to itself, unless one is missing for too long.
func (n *node) look(ctx context.Context, client rueidis.Client, c rueidis.DedicatedClient) error {
	moved, err := n.moveProbe(ctx, c)
	if err != nil {
		return err
	}
	if moved {
		n.waits.Store(0)
	}
	if n.leaveReplica(ctx) {
		return errReplica
	}
	if since := n.waits.Load(); since != 0 &&
		nanotime()-since > int64(2*n.source.config.ProbeInterval) {
		n.source.counts.probeFailures.Add(1)
		if err := n.unsent.Load(); err != nil {
			return *err
		}
		return errProbe
	}
	// an answer that does not come must not hold up subscribing
	n.source.running.Go(func() { n.sendProbe(ctx, client) })
	return nil
}

// sendProbe publishes to this node's own channel, and asks for the time on the way.
func (n *node) sendProbe(ctx context.Context, client rueidis.Client) error {
	s := n.source
	within, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	n.waits.CompareAndSwap(0, nanotime())
	session, channel := n.session.Load(), *n.probe.Load()
	err := s.readClock(within, n.address, client, true)
	clients, sent := s.publishProbe(within, channel)
	if sent == nil {
		sent = n.heard(channel, clients, session)
	}
	if err == nil {
		err = sent
	}
	if err != nil {
		s.counts.failed(opProbe, err)
		n.unsent.Store(&err)
		return err
	}
	n.unsent.Store(nil)
	n.noteProof(n.prove(within))
	return nil
}

// readClock takes a sample of a server's clock. A master's counts until it is forgotten, another
// one's for some time.
func (s *Source) readClock(ctx context.Context, address string, client rueidis.Client,
	master bool) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	sent := wallMS()
	parts, err := client.Do(ctx, client.B().Time().Build()).AsStrSlice()
	got := wallMS()
	if err != nil || len(parts) != 2 {
		return err
	}
	seconds, _ := strconv.ParseInt(parts[0], 10, 64)
	micros, _ := strconv.ParseInt(parts[1], 10, 64)
	s.clock.sample(address, sent, got, seconds*1000+micros/1000, master)
	s.table.SetClock(int64(s.clock.lower()) - wallMS())
	return nil
}

// publishProbe uses the client for commands, which finds the server that owns the channel now. It
// may be another one than when this node's connection was made.
//
// It returns how many clients were sent the message, as far as that server knows.
func (s *Source) publishProbe(ctx context.Context, channel string) (clients int64, err error) {
	if s.sharded() {
		return s.client.Do(ctx, s.client.B().Spublish().Channel(channel).Message("").Build()).
			AsInt64()
	}
	return s.client.Do(ctx, s.client.B().Publish().Channel(channel).Message("").Build()).AsInt64()
}

// moveProbe takes another channel if the slot of the one there is has moved. It reports whether
// there is a new one, or nothing to probe.
func (n *node) moveProbe(ctx context.Context, c rueidis.DedicatedClient) (moved bool, err error) {
	t := n.source.slots.Load()
	if t == nil || t.owner(slotOf(*n.probe.Load())) == n {
		return false, nil
	}
	channel, ok := probeChannel(n.source.instance, func(slot uint16) bool {
		return t.owner(slot) == n
	})
	if !ok {
		return true, errNothing
	}
	n.probe.Store(&channel)
	return true, n.subscribeProbe(ctx, c)
}

// probeChannel is a channel for the probes of one instance that belongs to a master: owns says of a
// slot whether it does. There is none if it owns too little.
func probeChannel(instance string, owns func(slot uint16) bool) (channel string, ok bool) {
	for k := range 1 << 20 {
		channel := "ssedge:probe:" + instance + ":" + strconv.Itoa(k)
		if owns(slotOf(channel)) {
			return channel, true
		}
	}
	return "ssedge:probe:" + instance, false
}
