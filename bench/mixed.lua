-- Requests that differ, by visitors drawn at random: `wrk -s mixed.lua -- URL FILE`, where FILE has
-- the cookie of each visitor on a line of its own.

local cookies, n = {}, 0

init = function(args)
  for line in io.lines(args[1]) do cookies[#cookies + 1] = line end
end

request = function()
  n = n + 1
  return wrk.format("GET", nil, {
    ["Cookie"] = "theme=dark; " .. cookies[math.random(#cookies)],
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) round/" .. (n % 97),
    ["Accept-Language"] = "en;q=0." .. (n % 9 + 1),
    ["X-Requested"] = tostring(n),
  })
end
