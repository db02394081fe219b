<?php
/* What a WHMCS module finds around it, and nothing more: the constant WHMCS and logModuleCall().
 *
 * A request, as JSON, comes by standard input; lines go back on the pipe of the number that is the
 * first argument, since modules print. Each line begins with the request's nonce, which tells it
 * from whatever else finds its way there. Without an answer the gate takes the call for failed, so
 * nothing here handles errors. Written for PHP 7.3 and later.
 */

define('WHMCS', true);

const SSOGATE_JSON = JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_UNESCAPED_SLASHES;
const SSOGATE_LONGEST = 65536; // bytes of one thing to log

function logModuleCall($module, $action, $request = '', $response = '', $processed = '', $replaceVars = [])
{
    $text = function ($value): string {
        $plain = is_scalar($value) ? (string) $value : json_encode($value, SSOGATE_JSON);
        return substr($plain, 0, SSOGATE_LONGEST);
    };
    $secrets = [];
    $replaceVars = (array) $replaceVars;
    array_walk_recursive($replaceVars, function ($value) use (&$secrets) {
        $secrets[] = is_scalar($value) ? (string) $value : '';
    });
    ssogate_send('log', [$text($action), $text($request), $text($response), $text($processed), $secrets]);
}

function ssogate_send(string $kind, $value, ?string $begin = null): void
{
    static $pipe, $nonce;
    if ($begin !== null) {
        $pipe = fopen('php://fd/' . (int) $GLOBALS['argv'][1], 'w');
        $nonce = $begin;
    }
    fwrite($pipe, $nonce . json_encode([$kind, $value], SSOGATE_JSON) . "\n");
}

(function () {
    $asked = json_decode(stream_get_contents(STDIN), true, 32, JSON_THROW_ON_ERROR);
    ssogate_send('ready', null, $asked['nonce']);
    if (function_exists('pcntl_alarm')) {
        pcntl_alarm($asked['seconds']); // should the gate itself be killed meanwhile
    }
    (static function (string $file) {
        require $file;
    })($asked['file']);
    if (!function_exists($asked['function'])) {
        ssogate_send('missing', null);
        return;
    }
    $answer = $asked['function'](...$asked['arguments']);
    ssogate_send('answer', is_array($answer) ? (object) $answer : gettype($answer));
})();
