package redis

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

// joinChannels is how many channels one command subscribes.
const joinChannels = 512

// channelPause is how long a channel waits that the servers do not let us subscribe.
const channelPause = 10 * time.Second

// work unsubscribes and subscribes some of what is queued. It reports whether there is more.
func (n *node) work(ctx context.Context, c rueidis.DedicatedClient) (more bool, err error) {
	s := n.source
	n.mu.Lock()
	leaving := n.leaving
	n.leaving = nil
	batch := n.joining[:min(len(n.joining), joinChannels)]
	n.joining = n.joining[len(batch):]
	more = len(n.joining) > 0
	n.mu.Unlock()
	leaving = slices.DeleteFunc(leaving, func(channel string) bool { // somebody has come back to it
		f := s.feedOf(channel)
		return f != nil && f.at(n)
	})
	if len(leaving) > 0 {
		if err := n.unsubscribe(ctx, c, leaving); err != nil {
			return false, err
		}
	}
	var joins []joining
	for _, f := range batch {
		if epoch, ok := f.joins(n); ok {
			joins = append(joins, joining{f, epoch, s.channel(f.topic.Name())})
		}
	}
	return more, n.subscribeAll(ctx, c, n.groups(joins))
}

// joining is a feed whose channel is being subscribed, and in which of its epochs.
type joining struct {
	feed    *feed
	epoch   uint32
	channel string
}

// groups are what one command can subscribe: in a cluster, what is of one slot.
func (n *node) groups(joins []joining) (all [][]joining) {
	if len(joins) == 0 {
		return nil
	}
	if n.source.target.kind != Cluster {
		return [][]joining{joins}
	}
	bySlot := map[uint16][]joining{}
	for _, j := range joins {
		slot := slotOf(j.channel)
		bySlot[slot] = append(bySlot[slot], j)
	}
	for _, group := range bySlot {
		all = append(all, group)
	}
	return all
}

func (n *node) subscribe(ctx context.Context, c rueidis.DedicatedClient, channels []string) error {
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	return c.Do(within, n.subscribing(c, channels)).Error()
}

func (n *node) subscribing(c rueidis.DedicatedClient, channels []string) rueidis.Completed {
	if n.source.target.kind == Cluster {
		return c.B().Ssubscribe().Channel(channels...).Build()
	}
	return c.B().Subscribe().Channel(channels...).Build()
}

// subscribeAll sends one command for each group. If the server refuses one because of a channel, the others
// are subscribed without that; if a slot has moved, its channels are joined again when it is known where to.
func (n *node) subscribeAll(ctx context.Context, c rueidis.DedicatedClient, groups [][]joining) error {
	if len(groups) == 0 {
		return nil
	}
	var commands []rueidis.Completed
	for _, group := range groups {
		channels := make([]string, len(group))
		for i, j := range group {
			channels[i] = j.channel
		}
		commands = append(commands, n.subscribing(c, channels))
	}
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	var single [][]joining
	for k, result := range c.DoMulti(within, commands...) {
		group, err := groups[k], result.Error()
		if err == nil {
			for _, j := range group {
				j.feed.subscribed(n, j.epoch)
			}
			continue
		}
		if _, refused := rueidis.IsRedisErr(err); !refused {
			return err
		}
		n.source.counts.failed(opSubscribe, err)
		switch {
		case passing(err):
			for _, j := range group {
				n.source.stray(j.feed)
			}
			n.source.refreshSlots()
		case len(group) > 1:
			for _, j := range group {
				single = append(single, []joining{j})
			}
		default:
			f := group[0].feed
			if n.source.counts.refused.Add(1)%1000 == 1 { // clients decide how many there are
				n.source.config.Logger.Warn("a channel may not be subscribed", "channel", group[0].channel, "error", err)
			}
			time.AfterFunc(channelPause, func() { n.join(f) })
		}
	}
	return n.subscribeAll(ctx, c, single)
}

// unsubscribe drops channels that nobody has come back to.
func (n *node) unsubscribe(ctx context.Context, c rueidis.DedicatedClient, channels []string) error {
	within, cancel := context.WithTimeout(ctx, n.source.config.Timeout)
	defer cancel()
	if n.source.target.kind != Cluster {
		return c.Do(within, c.B().Unsubscribe().Channel(channels...).Build()).Error()
	}
	bySlot := map[uint16][]string{}
	for _, channel := range channels {
		slot := slotOf(channel)
		bySlot[slot] = append(bySlot[slot], channel)
	}
	for _, names := range bySlot {
		err := c.Do(within, c.B().Sunsubscribe().Channel(names...).Build()).Error()
		if _, refused := rueidis.IsRedisErr(err); err != nil && !refused { // a slot that has moved has nothing here
			return err
		}
	}
	return nil
}
