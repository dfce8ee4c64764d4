/** Owns the Lua of the Redis back-end: what must be one step although a record and its indexes are several keys. */

/**
 * Every script gets the hash tag of one bucket, and every key it touches begins with it, so that all of them are in one
 * slot of a cluster. `r:` a record (hash: v value, n version, x expiry, g group), `i` all ids of the bucket, `g:` those
 * of a group, `x` what expires and when.
 */
const shared = `
local tag, now = KEYS[1], tonumber(ARGV[1])
local function record(id) return tag .. 'r:' .. id end
local function alive(id)
  local n, x = unpack(redis.call('HMGET', record(id), 'n', 'x'))
  return n and (not x or tonumber(x) > now), n
end
local function remove(id)
  local g = redis.call('HGET', record(id), 'g')
  if g then redis.call('ZREM', tag .. 'g:' .. g, id) end
  redis.call('DEL', record(id))
  redis.call('ZREM', tag .. 'i', id)
  redis.call('ZREM', tag .. 'x', id)
end
local function put(id, v, n, x, g)
  local was = redis.call('HGET', record(id), 'g')
  -- First what a full server refuses: after any other write of a script it refuses nothing.
  redis.call('HSET', record(id), 'v', v, 'n', n)
  redis.call('ZADD', tag .. 'i', 0, id)
  if x ~= '' then
    redis.call('HSET', record(id), 'x', x)
    redis.call('ZADD', tag .. 'x', x, id)
  else
    redis.call('HDEL', record(id), 'x')
    redis.call('ZREM', tag .. 'x', id)
  end
  if was and was ~= g then redis.call('ZREM', tag .. 'g:' .. was, id) end
  if g ~= '' then
    redis.call('HSET', record(id), 'g', g)
    redis.call('ZADD', tag .. 'g:' .. g, 0, id)
  else
    redis.call('HDEL', record(id), 'g')
  end
  -- More leave than can arrive: a write adds one.
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', tag .. 'x', '-inf', now, 'LIMIT', 0, 4)) do
    if old ~= id then remove(old) end
  end
end
`;

/** ARGV: now, id, value, new version, expiry or '', group or ''. 1: created. */
export const createScript = `${shared}
if alive(ARGV[2]) then return 0 end
put(ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1`;

/** As create, and the version that must still be there. 1: replaced. */
export const replaceScript = `${shared}
local living, version = alive(ARGV[2])
if not living or version ~= ARGV[7] then return 0 end
put(ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1`;

/** ARGV: now, id, the newest version this release can read. The value, or nil; one that is newer stays (stored-value.ts). */
export const takeScript = `${shared}
if not alive(ARGV[2]) then return nil end
local v = redis.call('HGET', record(ARGV[2]), 'v')
if tonumber(string.match(v, '^v(%d+) ') or 1) <= tonumber(ARGV[3]) then remove(ARGV[2]) end
return v`;

/**
 * ARGV: now, group or '', id to begin after or '', how many. Ids of living records in the order of their bytes, after
 * the last one that was looked at: '' at the end of the list. Looks at a bounded number, because nothing else runs meanwhile.
 */
export const idsScript = `${shared}
local index = ARGV[2] == '' and tag .. 'i' or tag .. 'g:' .. ARGV[2]
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
local wanted, found, last = tonumber(ARGV[4]), {}, ''
local ids = redis.call('ZRANGEBYLEX', index, from, '+', 'LIMIT', 0, 1001)
for at, id in ipairs(ids) do
  if at > 1000 or #found == wanted then
    last = ids[at - 1]
    break
  end
  if alive(id) then found[#found + 1] = id end
end
table.insert(found, 1, last)
return found`;
