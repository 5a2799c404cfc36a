-- Publishes an event to a topic of ssedge: adds it to the topic's history, and sends it to all
-- edges that have subscribers of it. Answers its id, and "new" or "dup".
--
-- keys[1]  the topic's channel, which is also the key of its history: the prefix (sse:) and the topic.
--          It is the only declared key, so that publishing goes on while its slot moves between masters.
-- args     data, event's name, idempotency key, reconnection time (ms); all but the first may be left out
local function ssedge_publish(keys, args)
  local channel, data = keys[1], args[1]
  local event, key, retry = args[2] or '', args[3] or '', args[4] or ''
  if not channel or not data then return redis.error_reply('ERR expected one key, the channel, and data') end
  if retry ~= '' and (#retry > 15 or not string.match(retry, '^[1-9]%d*$')) then
    return redis.error_reply('ERR expected a reconnection time in milliseconds')
  end
  local used
  if key ~= '' then -- before anything is written: this may fail while the slot moves
    used = '{' .. channel .. '}:i:' .. key
    local id = redis.call('GET', used)
    if id then return {id, 'dup'} end
  end
  local prev = '0-0'
  local last = redis.call('XREVRANGE', channel, '+', '-', 'COUNT', 1)
  if last[1] then prev = last[1][1] end
  local id = redis.call('XADD', channel, 'MAXLEN', '=', settings.events, '*', 'p', prev, 'e', event, 'd', data, 'r', retry)
  redis.call('XTRIM', channel, 'MINID', '=', string.format('%.0f', string.match(id, '^%d+') - settings.age))
  redis.call('EXPIRE', channel, settings.ttl)
  if used then redis.call('SET', used, id, 'EX', settings.key_ttl) end
  if retry ~= '' then retry = ' ' .. retry end
  redis.call(settings.command, channel, '\0s1 ' .. id .. ' ' .. prev .. ' ' .. #event .. retry .. '\n' .. event .. data)
  return {id, 'new'}
end
