// expo/AppEntry.js looks for the app beside node_modules; in a workspace those are further up.
import {greeting} from '@field/words';
import {registerRootComponent} from 'expo';

import App from './App';

console.log(greeting('field-notes'));
registerRootComponent(App);
