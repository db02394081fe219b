<?php
// A provisioning module as vendors write them: with metadata, a library of its own, and noise.

if (!defined('WHMCS')) {
    die('This file cannot be accessed directly');
}

require_once __DIR__ . '/lib/Address.php';

function mypanel_MetaData()
{
    return array(
        'DisplayName' => 'My Panel',
        'APIVersion' => '1.1',
        'RequiresServer' => true,
        'DefaultNonSSLPort' => '1111',
        'DefaultSSLPort' => '1112',
        'ServiceSingleSignOnLabel' => 'Login to Panel as User',
        'AdminSingleSignOnLabel' => 'Login to Panel as Admin',
    );
}

function mypanel_ServiceSingleSignOn(array $params)
{
    echo "calling\n";
    try {
        if ($params['domain'] === '') {
            throw new Exception('This service has no domain');
        }
        $return = array('success' => true, 'redirectTo' => MyPanel\address($params, 'user'));
    } catch (Exception $e) {
        $return = array('success' => false, 'errorMsg' => $e->getMessage());
    }
    logModuleCall('mypanel', __FUNCTION__, $params, $return, array(), array($params['serverpassword']));
    return $return;
}

function mypanel_AdminSingleSignOn(array $params)
{
    return array('success' => true, 'redirectTo' => MyPanel\address($params, 'admin'));
}
