-- Publishes an event to a topic of ssedge: adds it to the topic's history, and sends it to all
-- edges that have subscribers of it. Answers its id, and "new" or "dup".
--
-- keys[1]  the key of the topic's history, which is also its channel: the prefix (sse:) and the topic; with partitions the
--          partition's tag between them, as in sse:{17}news, and the channel is that without the topic (ssedge redis key).
--          It is the only declared key, so that publishing goes on while its slot moves between masters.
-- args     data, event's name, idempotency key, reconnection time (ms); all but the first may be left out
local function ssedge_publish(keys, args)
  local function refuse(expected, found) return redis.error_reply('ERR expected ' .. expected .. (found and ', found ' .. found or '')) end
  local stream, data = keys[1], args[1]
  local event, key, retry = args[2] or '', args[3] or '', args[4] or ''
  if not stream or not data then return refuse('one key, that of a topic, and data') end
  if string.sub(stream, 1, #settings.prefix) ~= settings.prefix then return refuse('a key that begins with ' .. settings.prefix, stream) end
  local channel, topic = stream, string.sub(stream, #settings.prefix + 1)
  if settings.partitions then
    local tag, rest = string.match(topic, '^({%d+})(.*)$')
    if not tag then return refuse('the key of a partition, as in ' .. settings.prefix .. '{17}news (this function is for --fan-in=partition)', stream) end
    channel, topic = settings.prefix .. tag, rest
  end
  if topic == '' then return refuse('a topic behind the prefix', stream) end
  if string.find(topic, '[{}]') then return refuse('%7B and %7D for braces in a topic (this function is for --fan-in=' .. settings.fan_in .. ')', stream) end
  if event ~= '' and event == settings.gap then return refuse('another event name than ' .. settings.gap) end
  if string.find(event, '[%z\r\n]') then return refuse('an event name of one line') end
  if #data + #event > settings.event_bytes then return refuse('at most ' .. settings.event_bytes .. ' bytes of data and name', #data + #event) end
  if retry ~= '' and (#retry > 15 or not string.match(retry, '^[1-9]%d*$')) then return refuse('a reconnection time in milliseconds', retry) end
  local used
  if key ~= '' then -- before anything is written: this may fail while the slot moves
    used = (settings.partitions and '' or '{') .. stream .. '}:i:' .. key -- in the same slot
    local id = redis.call('GET', used)
    if id then return {id, 'dup'} end
  end
  local prev = '0-0'
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if last[1] then prev = last[1][1] end
  local id = redis.call('XADD', stream, '*', 'p', prev, 'e', event, 'd', data, 'r', retry)
  local version, of, named = 's1 ', '', ''
  if settings.partitions then version, of, named = 's2 ', ' ' .. #topic, topic end
  if retry ~= '' then retry = ' ' .. retry end
  local sent = redis.pcall(settings.command, channel, '\0' .. version .. id .. ' ' .. prev .. ' ' .. #event .. of .. retry .. '\n' .. named .. event .. data)
  if type(sent) == 'table' and sent.err then -- nobody was sent it: it was never published
    redis.call('XDEL', stream, id)
    redis.pcall('EXPIRE', stream, settings.ttl)
    return sent
  end
  -- It is published now, whatever becomes of the rest.
  if used then redis.pcall('SET', used, id, 'EX', settings.key_ttl) end
  redis.pcall('XTRIM', stream, 'MAXLEN', '=', settings.events)
  redis.pcall('XTRIM', stream, 'MINID', '=', string.format('%.0f', math.max(string.match(id, '^%d+') - settings.age, 0)))
  redis.pcall('EXPIRE', stream, settings.ttl)
  return {id, 'new'}
end
