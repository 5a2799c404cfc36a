package engine

import (
	"fmt"
	"maps"
	"slices"

	"ssedge/engine/auth"
	"ssedge/engine/setting"
	"ssedge/shard"
)

func (c *Config) checkPolicies(fail setting.Fail) {
	if _, err := c.policies(); err != nil {
		fail("%w", err)
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.TopicPolicies)) {
		c.checkPattern("--topic-policy", pattern, fail)
	}
}

// policies makes the function that says which policy a topic has.
func (c *Config) policies() (func(topic string) shard.Policy, error) {
	usual, ok := shard.ParsePolicy(c.SlowPolicy)
	if !ok {
		return nil, fmt.Errorf("--slow-policy %s: expected gap, close or latest", c.SlowPolicy)
	}
	type rule struct {
		pattern auth.Pattern
		length  int
		policy  shard.Policy
	}
	var rules []rule
	for text, name := range c.TopicPolicies {
		p, err := auth.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("--topic-policy: %w", err)
		}
		policy, ok := shard.ParsePolicy(name)
		if !ok {
			return nil, fmt.Errorf("--topic-policy %s=%s: expected gap, close or latest", text,
				name)
		}
		rules = append(rules, rule{p, len(text), policy})
	}
	return func(topic string) shard.Policy {
		best, policy := -1, usual
		for _, r := range rules {
			if r.length > best && r.pattern.Match([]byte(topic)) {
				best, policy = r.length, r.policy
			}
		}
		return policy
	}, nil
}
