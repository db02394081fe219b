<?php
/* Make a signed link with PHP:

     SSO_SECRET=… php sender.php https://app.example john 'John Smith' john@example.com \
         groups=members redirect=/members/

   In a web application, require this file and call signed_link() when the page is made: the
   link holds the time and is good for a few minutes. */

declare(strict_types=1);

/** Sign the inner text: base64 of it, and the SHA-256 of that base64 followed by the secret. */
function signed(string $inner, string $secret): array
{
    $query = base64_encode($inner);
    return ['query' => $query, 'hash' => hash('sha256', $query . $secret)];
}

/** Give the whole URL. $fields: username, name, email, t; perhaps groups and redirect. */
function signed_link(string $base, array $fields, string $secret): string
{
    $inner = http_build_query($fields, '', '&', PHP_QUERY_RFC3986);
    // http_build_query also turns the + of base64 into %2B; pasted as it is, it would be a space.
    return $base . '/sso.php?' . http_build_query(['mode' => 'login'] + signed($inner, $secret));
}

if (PHP_SAPI === 'cli' && realpath($argv[0]) === __FILE__) {
    $secret = (string) getenv('SSO_SECRET');
    if ($argc < 5 || $secret === '') {
        fwrite(STDERR, "usage: SSO_SECRET=… php sender.php BASE USER NAME EMAIL [KEY=VALUE …]\n");
        exit(2);
    }
    [, $base, $username, $name, $email] = $argv;
    $fields = ['username' => $username, 'name' => $name, 'email' => $email, 't' => time()];
    foreach (array_slice($argv, 5) as $more) {
        [$key, $value] = explode('=', $more, 2) + ['', ''];
        $fields[$key] = $value;
    }
    echo signed_link($base, $fields, $secret), "\n";
}
