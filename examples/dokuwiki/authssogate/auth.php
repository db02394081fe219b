<?php
/**
 * DokuWiki believes the gate: who is signed in there is signed in here, with the same groups.
 *
 * Safe only while nobody can reach the wiki but through the gate, which removes these headers
 * from whatever a visitor sends. No password is kept and no cookie is set, so that signing out at
 * the gate is signing out here.
 */
class auth_plugin_authssogate extends DokuWiki_Auth_Plugin
{
    public function __construct()
    {
        parent::__construct();
        $this->cando['external'] = true;
        $this->cando['logout'] = true;
    }

    public function trustExternal($user, $pass, $sticky = false)
    {
        global $USERINFO, $INPUT;
        $name = $_SERVER['HTTP_X_REMOTE_USER'] ?? '';
        if ($name === '') {
            $USERINFO = null;
            $INPUT->server->remove('REMOTE_USER');
            return false; // and not null, which would let DokuWiki ask for a password
        }
        $groups = explode(',', $_SERVER['HTTP_X_REMOTE_GROUPS'] ?? '');
        $USERINFO = [
            'name' => ($_SERVER['HTTP_X_REMOTE_NAME'] ?? '') ?: $name,
            'mail' => $_SERVER['HTTP_X_REMOTE_EMAIL'] ?? '',
            'grps' => array_values(array_filter($groups, 'strlen')),
        ];
        $INPUT->server->set('REMOTE_USER', $name);
        return true;
    }

    public function logOff()
    {
        send_redirect('/sso.php?mode=logout');
    }
}
