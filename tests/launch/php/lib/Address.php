<?php

namespace MyPanel;

function address(array $params, string $as): string
{
    $query = array('as' => $as, 'domain' => $params['domain'], 'app' => $params['app']);
    $host = $params['serverhttpprefix'] . '://' . $params['serverhostname'];
    return $host . ':' . $params['serverport'] . '/?' . http_build_query($query);
}
