package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// Edges and publishers that share topics must use the same names for them. Otherwise what one publishes would never come to the
// others, and nothing would show it. So live edges write their fan-in under the key ssedge:<prefix>fanin.

// way is this edge's fan-in.
func (c *Config) way() string {
	if c.FanIn == ByPartition {
		return fmt.Sprintf("--fan-in=%s --partitions=%d", c.FanIn, c.Partitions)
	}
	return "--fan-in=" + string(c.FanIn)
}

// keeps is how long this edge keeps histories, and which events it accepts. Edges may differ in that
// while settings are being changed, so it is not refused. But it is logged: one edge cuts what another
// keeps, or tells a gap for an event that another accepts.
func (c *Config) keeps() string {
	return fmt.Sprintf("--history-events=%d --history-age=%v --redis-ttl=%v --topic-bytes=%d --event-bytes=%d --key-bytes=%d",
		c.HistoryEvents, c.HistoryAge, c.TTL, c.Rule.TopicBytes, c.Rule.EventBytes, c.Rule.KeyBytes)
}

const waySeparator = "; "

// agree returns errUnfit if other edges have another fan-in, otherwise nil. It is nil, too, if the servers cannot be asked. An edge
// claims its way at once, so that of two that begin together one is refused.
func (s *Source) agree(ctx context.Context, client rueidis.Client) error {
	key := s.presenceKey("fanin")
	if s.config.PresenceEvery > 0 {
		client.Do(ctx, client.B().Set().Key(key).Value(s.config.way()+waySeparator+s.config.keeps()).Nx().ExSeconds(s.presenceTTL()).Build())
	}
	text, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
	way, keeps, ok := strings.Cut(text, waySeparator)
	switch {
	case err != nil || !ok:
		return nil
	case way != s.config.way():
		return fmt.Errorf("%w: edges there have %s, this is %s", errUnfit, way, s.config.way())
	case keeps != s.config.keeps() && !s.warned.Swap(true):
		s.config.Logger.Warn("other edges have other settings: one edge cuts history that another keeps, or tells a gap for events that another accepts", "others", keeps, "this", s.config.keeps())
	}
	return nil
}

// insist writes how it is done here. It lasts as long as what else this edge says.
func (s *Source) insist(ctx context.Context) error {
	if err := s.agree(ctx, s.client); err != nil {
		s.config.Logger.Error("the servers' topics are not those of this edge: one of them must change", "error", err)
		return nil
	}
	return s.client.Do(ctx, s.client.B().Set().Key(s.presenceKey("fanin")).Value(s.config.way()+waySeparator+s.config.keeps()).ExSeconds(s.presenceTTL()).Build()).Error()
}
