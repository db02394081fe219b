<?php
/* Sign a client's owner in by PHP and its curl extension alone (Debian: php-curl), as WHMCS's
   documentation shows it:

     GATE_URL=https://app.example API_IDENTIFIER=… API_SECRET=… CLIENT_ID=1 php curl.php

   In a web page of yours, end with header('Location: ' . $token['redirect_url']) instead. */

declare(strict_types=1);

/** Call an action of the API; give what it answers, or throw what it complains of. */
function call(string $action, array $parameters): array
{
    $curl = curl_init(getenv('GATE_URL') . '/includes/api.php');
    curl_setopt_array($curl, [
        CURLOPT_POST => true,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_POSTFIELDS => http_build_query($parameters + [
            'action' => $action,
            'identifier' => getenv('API_IDENTIFIER'),
            'secret' => getenv('API_SECRET'),
            'responsetype' => 'json',
        ]),
    ]);
    $response = curl_exec($curl);
    if ($response === false) {
        throw new RuntimeException(curl_error($curl));
    }
    $answer = json_decode($response, true, flags: JSON_THROW_ON_ERROR);
    if ($answer['result'] !== 'success') {
        throw new RuntimeException($answer['message']);
    }
    return $answer;
}

try {
    $client = (string) getenv('CLIENT_ID');
    $details = call('GetClientsDetails', ['clientid' => $client]);
    echo "client $details[id]: $details[companyname], $details[status]\n";

    $services = call('GetClientsProducts', ['clientid' => $client])['products']['product'];
    foreach ($services as $service) {
        echo "service $service[id]: $service[name], $service[status]\n";
    }

    call('LogActivity', ['clientid' => $client, 'description' => 'asks for its profile']);

    $token = call('CreateSsoToken', [
        'client_id' => $client,
        'destination' => 'clientarea:profile',
    ]);
    echo $token['redirect_url'], "\n";
} catch (Exception $error) {
    fwrite(STDERR, "curl.php: {$error->getMessage()}\n");
    exit(1);
}
