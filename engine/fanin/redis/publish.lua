-- Publishes an event to a topic of ssedge: adds it to the topic's history, and sends it to all
-- edges that have subscribers of it. Answers its id, and "new" or "dup".
--
-- keys[1]  the key of the topic's history, which is also its channel: the prefix (sse:) and the topic; with partitions the
--          partition's tag between them, as in sse:{17}news, and the channel is that without the topic (ssedge redis key).
--          It is the only declared key, so that publishing goes on while its slot moves between masters.
-- args     data, event's name, idempotency key, reconnection time (ms); all but the first may be left out
local function ssedge_publish(keys, args)
  local stream, data = keys[1], args[1]
  local event, key, retry = args[2] or '', args[3] or '', args[4] or ''
  if not stream or not data then return redis.error_reply('ERR expected one key, the channel, and data') end
  local channel, topic = stream, ''
  if settings.partitions then
    channel, topic = string.match(stream, '^([^{]*{[^}]+})(.+)$')
    if not channel then return redis.error_reply('ERR expected a key with a partition, as in sse:{17}news, found ' .. stream) end
  elseif string.find(stream, '[{}]') then
    return redis.error_reply('ERR expected %7B and %7D for braces in a topic, found ' .. stream)
  end
  if retry ~= '' and (#retry > 15 or not string.match(retry, '^[1-9]%d*$')) then
    return redis.error_reply('ERR expected a reconnection time in milliseconds')
  end
  local used
  if key ~= '' then -- before anything is written: this may fail while the slot moves
    used = (settings.partitions and '' or '{') .. stream .. '}:i:' .. key -- in the same slot
    local id = redis.call('GET', used)
    if id then return {id, 'dup'} end
  end
  local prev = '0-0'
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if last[1] then prev = last[1][1] end
  local id = redis.call('XADD', stream, 'MAXLEN', '=', settings.events, '*', 'p', prev, 'e', event, 'd', data, 'r', retry)
  redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f', string.match(id, '^%d+') - settings.age))
  redis.call('EXPIRE', stream, settings.ttl)
  if used then redis.call('SET', used, id, 'EX', settings.key_ttl) end
  if retry ~= '' then retry = ' ' .. retry end
  local version, of = 's1 ', ''
  if settings.partitions then version, of = 's2 ', ' ' .. #topic end
  redis.call(settings.command, channel, '\0' .. version .. id .. ' ' .. prev .. ' ' .. #event .. of .. retry .. '\n' .. topic .. event .. data)
  return {id, 'new'}
end
