package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// All who share topics must look for them under the same names: what one publishes would never come to the
// others, and nobody would know. So those that live say under the key ssedge:<prefix>fanin how they do it.

// way is how this one does it.
func (c *Config) way() string {
	if c.FanIn == ByPartition {
		return fmt.Sprintf("--fan-in=%s --partitions=%d", c.FanIn, c.Partitions)
	}
	return "--fan-in=" + string(c.FanIn)
}

// agree says that the others do it in another way: nil, or errUnfit. It is nil, too, if they cannot be asked.
func (s *Source) agree(ctx context.Context, client rueidis.Client) error {
	way, err := client.Do(ctx, client.B().Get().Key(s.presenceKey("fanin")).Build()).ToString()
	if err != nil || way == s.config.way() || !strings.HasPrefix(way, "--fan-in=") {
		return nil
	}
	return fmt.Errorf("%w: edges there have %s, this is %s", errUnfit, way, s.config.way())
}

// insist writes how it is done here. It lasts as long as what else this edge says.
func (s *Source) insist(ctx context.Context) error {
	if err := s.agree(ctx, s.client); err != nil {
		s.config.Logger.Error("the servers' topics are not those of this edge: one of them must change", "error", err)
		return nil
	}
	return s.client.Do(ctx, s.client.B().Set().Key(s.presenceKey("fanin")).Value(s.config.way()).ExSeconds(s.presenceTTL()).Build()).Error()
}
