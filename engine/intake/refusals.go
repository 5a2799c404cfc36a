package intake

import (
	"ssedge/engine/refuse"
	"ssedge/proto/forwarded"
	"ssedge/proto/proxyproto"
)

var (
	refuseQuery = refuse.Declare(400, "bad_query", 0).
			Say("the query cannot be read: expected key=value pairs joined by &, with %XX escapes and no semicolons")
	refuseNoTopic = refuse.Declare(400, "no_topic", 0).
			Say("expected at least one topic in the query: /events?topic=NAME")
	refuseTopic = refuse.Declare(400, "bad_topic", 0).
			Say("a topic name breaks the rule of package rule")
	refuseTopics = refuse.Declare(400, "too_many_topics", 0).
			Say("more topics than one stream may have (--topics-per-stream)")

	refusePoll = refuse.Declare(400, "bad_poll", 0).
			Say("expected a time, as poll=30s, or seconds, as poll=30")
	refuseRewind = refuse.Declare(400, "bad_rewind", 0).
			Say("expected rewind=N with a whole number of events of each topic from 0 to %d", rewindMax)

	refuseTarget = refuse.Declare(414, "target_too_long", 0).
			Say("the request target leaves no room for an id to resume from (--target-bytes): expected fewer topics, or shorter ones")
	refuseHead = refuse.Declare(431, "head_too_large", 0).
			Say("the request head leaves no room for an id to resume from (--head-bytes): expected fewer topics, or fewer and shorter fields")

	refuseXForwardedFor = refuse.Declare(400, "bad_forwarded", 0).
				Say(forwarded.ErrXForwardedFor.Error())
	refuseForwarded = refuse.Declare(400, "bad_forwarded", 0).
			Say(forwarded.ErrForwarded.Error())
	refuseProxyHeader = refuse.Declare(400, "bad_proxy_header", 0).
				Say(proxyproto.ErrNoHeader.Error())
	refuseProxy = refuse.Declare(403, "not_a_proxy", 0).
			Say("only proxies may connect here (--trusted-proxies)")

	refuseUnknown = refuse.Declare(401, "no_credentials", 0).
			Say("these topics need a key: Authorization: Bearer KEY")
	refuseInvalid = refuse.Declare(401, "bad_credentials", 0).
			Say("the key is not valid; without one only public topics are open")

	refuseStreams = refuse.Declare(503, "streams_max", 5).
			Say("this server holds as many streams as it may")
	refuseAddress = refuse.Declare(503, "address_max", 30).
			Say("this address holds as many streams as it may")
	refuseRate = refuse.Declare(503, "accept_rate", 1).
			Say("too many new streams at the moment")
	refuseMemory    = refuse.Declare(503, "memory_max", 10).Say("this server is short of memory")
	refuseDraining  = refuse.Declare(503, "draining", 1).Say("this server is going away")
	refuseInbox     = refuse.Declare(503, "inbox_max", 1).Say("too many new streams at the moment")
	refuseTopicsMax = refuse.Declare(503, "topics_max", 5).
			Say("this server holds as many topics as it may")
	refuseHTTP  = refuse.Declare(503, "http_max", 1).Say("too many requests at the moment")
	refuseHeads = refuse.Declare(503, "heads_max", 1).
			Say("too many unfinished requests at the moment")
	refuseFiles = refuse.Declare(503, "files_max", 5).
			Say("this server has no file descriptors left")

	// refuseLifetime is no cause: its streams were admitted, and count as closed by max_lifetime.
	refuseLifetime = &refuse.Answer{Status: 503, RetryAfter: 1,
		Reason: "the longest life of a stream (--lifetime) was over before this one could begin"}

	refuseTimeout = refuse.Declare(408, "head_timeout", 0).
			Say("the request head did not arrive in time")
)

// overload reports whether a request was refused for lack of room, and not for what it asked.
func overload(r *refuse.Answer) bool { return r.Status == 503 }
