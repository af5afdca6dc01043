import {banner} from '@hello/shared';
import {AppRegistry} from 'react-native';

import {name} from './app.json';
import App from './src/App';

console.log(banner(name));
AppRegistry.registerComponent(name, () => App);
