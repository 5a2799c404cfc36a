package engine_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"ssedge/engine/fanin"
	"ssedge/engine/fanin/redis"
	"ssedge/proto/rule"
)

// What redis-cli publishes comes to a browser through each of three edges on three masters.
func TestBrowserThroughEachEdge(t *testing.T) {
	t.Parallel()
	all := startCluster(t, 0)
	url := clusterURL(all)
	config := redis.Config{Settings: redis.Settings{Shared: redis.Shared{Prefix: "sse:",
		FanIn: redis.ByTopic, TTL: 3600e9}}, Retention: fanin.Retention{HistoryEvents: 100,
		HistoryAge: 600e9, KeyTTL: 60e9}, Rule: rule.Limits{EventBytes: 1000}}
	script := config.Script(redis.Cluster)
	ctx := browser(t)
	for k := range 3 {
		n := edge(t, url, nil)
		do(t, ctx, chromedp.Navigate("http://"+n.addr+"/#topic=news"))
		until(t, ctx, "document.querySelector('#state').textContent.trim() == 'open'")
		for _, arguments := range [][]string{{"EVAL", script, "1"}, {"SPUBLISH"}} {
			data := fmt.Sprint(arguments[0], " through edge ", k)
			all[0].cli(append(append([]string{"-c"}, arguments...), "sse:news", data)...)
			until(t, ctx,
				fmt.Sprintf("[...document.querySelectorAll('#log .event .data')]"+
					".some(e => e.textContent.trim() == %q)",
					data))
		}
	}
}
