package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

var errUnfit = errors.New("these servers cannot be used")

// fit looks whether the servers are what the URL says, and can do what is asked of them. Servers
// that do not say are taken as they are.
func (s *Source) fit(client rueidis.Client) error {
	info, err := s.info(client)
	if _, refused := rueidis.IsRedisErr(err); refused {
		return nil
	} else if err != nil {
		return err
	}
	clustered := strings.Contains(info, "cluster_enabled:1")
	switch {
	case clustered && s.target.kind != Cluster:
		return fmt.Errorf("%w: they are a cluster, expected redis+cluster://…", errUnfit)
	case s.target.kind == Cluster && !clustered && strings.Contains(info, "cluster_enabled:0"):
		return fmt.Errorf("%w: they are no cluster, expected redis://…", errUnfit)
	}
	least, major, minor := "6.2", 6, 2 // XTRIM MINID
	if s.target.kind == Cluster {
		least, major, minor = "7.0", 7, 0 // sharded channels
	}
	_, after, found := strings.Cut(info, "redis_version:")
	var is [2]int
	if n, _ := fmt.Sscanf(after, "%d.%d", &is[0], &is[1]); found && n == 2 &&
		(is[0] < major || is[0] == major && is[1] < minor) {
		return fmt.Errorf("%w: they are version %.10s, expected %s or later", errUnfit,
			strings.Fields(after)[0], least)
	}
	return nil
}

// info is what the first server that answers says of itself.
func (s *Source) info(client rueidis.Client) (text string, err error) {
	for _, node := range client.Nodes() {
		ctx, cancel := context.WithTimeout(context.Background(), s.config.Timeout)
		text, err = node.Do(ctx, node.B().Info().Build()).ToString()
		cancel()
		if _, refused := rueidis.IsRedisErr(err); err == nil || refused {
			return text, err
		}
	}
	return text, err
}
